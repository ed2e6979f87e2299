"""What went wrong with Kubeflow Pipelines, in words that say what to do about it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any


class KubeflowError(Exception):
    """Kubeflow Pipelines cannot do what is wanted; the message says why, and what to do."""


class KubeflowUnreachableError(KubeflowError):
    """There was no answer; the same may succeed later."""


@contextlib.contextmanager
def explained(task: str, host: str) -> Iterator[None]:
    """Turns the errors of the kfp client and of HTTP into `KubeflowError`.

    Args:
        task: What is being done, as the end of "cannot …".
        host: Where the server is.

    Raises:
        KubeflowError: Instead of theirs.
    """
    import urllib3
    from kfp_server_api.exceptions import ApiException, OpenApiException

    try:
        yield
    except ApiException as error:
        # The client turns some failures of TLS into answers without a status.
        kind = KubeflowUnreachableError if error.status in (502, 503, 504) else KubeflowError
        raise kind(f"cannot {task}: {_answered(error, host)}") from error
    except urllib3.exceptions.MaxRetryError as error:
        reason = error.reason
        if isinstance(reason, urllib3.exceptions.SSLError):
            raise KubeflowError(f"cannot {task}: {_untrusted(reason, host)}") from error
        raise KubeflowUnreachableError(
            f"cannot {task}: nothing answers at {host} ({_short(reason)}); is the address right, "
            "and is a port-forward still running?"
        ) from error
    except urllib3.exceptions.HTTPError as error:
        raise KubeflowUnreachableError(
            f"cannot {task}: {host} does not answer as it should ({_short(error)})"
        ) from error
    except (OpenApiException, ValueError) as error:
        raise KubeflowError(
            f"cannot {task}: {host} is no Kubeflow Pipelines 2 API ({_short(error)})"
        ) from error


def _answered(error: Any, host: str) -> str:
    if not error.status:
        return _untrusted(error.reason, host)
    said = _message(error.body) or error.reason or ""
    if error.status == 401:
        return (
            f"{host} wants credentials (401 {said}): give --token-file, or inside the cluster "
            "mount a service account's token with audience pipelines.kubeflow.org"
        )
    if error.status == 403:
        return (
            f"{host} does not allow it (403 {said}): the account needs the role kubeflow-edit in "
            "the namespace (--namespace)"
        )
    if error.status == 404:
        return f"it is not there, or {host} is no Kubeflow Pipelines 2 API (404 {said})"
    if error.status in (301, 302, 303, 307, 308):
        return (
            f"{host} sends to a login page: give the API's own address, for instance of kubectl "
            "port-forward svc/ml-pipeline 8888:8888, or --token-file"
        )
    return f"{host} answers {error.status}: {said}"


def _untrusted(reason: Any, host: str) -> str:
    text = _short(reason)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            f"the certificate of {host} is not trusted: give its authority's with --ca-cert "
            f"({text})"
        )
    return f"no secure connection to {host}; does it speak plain http? ({text})"


def _message(body: Any) -> str:
    """The server's own words, of JSON or text."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    try:
        document = json.loads(body)
        return _short(document.get("message") or document.get("error") or "")
    except (TypeError, ValueError, AttributeError):
        text = _short(body or "")
        return "" if text.startswith("<") else text


def _short(value: Any) -> str:
    return " ".join(str(value).split())[:400]
