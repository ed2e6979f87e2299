"""Opens the kfp client of a Kubeflow Pipelines server."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import Any

from pipeline.submission.kubeflow_errors import KubeflowError, explained

HOST_VARIABLE = "KF_PIPELINES_ENDPOINT"
# Seconds for one answer.
CALL_TIMEOUT = 60


@dataclasses.dataclass(frozen=True)
class KubeflowPlace:
    """Where Kubeflow Pipelines is, and as whom it is asked.

    Attributes:
        host: URL of the API; None for the server of the cluster that this runs in, or that kubectl
            is set to.
        namespace: Of the user, in installations with several; None for the default.
        token_file: File with a bearer token.
        ca_cert: File with the certificates that the server's is checked with.
    """

    host: str | None = None
    namespace: str | None = None
    token_file: pathlib.Path | None = None
    ca_cert: pathlib.Path | None = None


def connect(place: KubeflowPlace) -> tuple[Any, str]:
    """Opens a client and asks the server whether it is well.

    Returns:
        The `kfp.Client`, and the server's URL for people.

    Raises:
        KubeflowError: It does not answer, or refuses, or kfp is not installed.
    """
    try:
        import kfp
    except ImportError as error:
        raise KubeflowError(
            "Kubeflow Pipelines needs kfp, which is not in this environment: "
            "pip install 'kfp>=2,<3'"
        ) from error

    class Client(kfp.Client):
        """Asks once where its base asks five times and prints what it gets."""

        def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:
            return self.healthzs.healthz_service_get_healthz(_request_timeout=CALL_TIMEOUT)

    host = place.host or os.environ.get(HOST_VARIABLE)
    if host and not host.startswith(("http://", "https://")):
        host = f"https://{host}"
    name = host or "the cluster's Kubeflow Pipelines"
    with explained("reach Kubeflow Pipelines", name):
        client = Client(
            host=host,
            existing_token=_token(place.token_file),
            ssl_ca_cert=_existing(place.ca_cert),
            credentials=_mounted_token(host),
        )
        # A login page is an answer too, which the client would take for an empty one.
        health = client.healthzs.healthz_service_get_healthz(
            _preload_content=False, _request_timeout=CALL_TIMEOUT
        )
        if not isinstance(json.loads(health.data), dict):
            raise ValueError("it answers something else")
    shown = os.environ.get("KF_PIPELINES_UI_ENDPOINT") or host
    return client, (shown or "/pipeline").rstrip("/")


def _token(file: pathlib.Path | None) -> str | None:
    if file is None:
        return None
    try:
        token = file.read_text("utf-8").strip()
    except OSError as error:
        raise KubeflowError(f"--token-file {file} cannot be read: {error.strerror}") from error
    if not token:
        raise KubeflowError(f"--token-file {file} is empty")
    return token


def _existing(file: pathlib.Path | None) -> str | None:
    if file is None:
        return None
    if not file.is_file():
        raise KubeflowError(f"--ca-cert {file} is no file")
    return str(file)


def _mounted_token(host: str | None) -> Any:
    """A pod's token for Kubeflow Pipelines, which kfp takes by itself only without a host."""
    from kfp import client
    from kfp.client import set_volume_credentials

    path = os.environ.get(client.KF_PIPELINES_SA_TOKEN_ENV, client.KF_PIPELINES_SA_TOKEN_PATH)
    if not host or not os.path.isfile(path):
        return None
    return set_volume_credentials.ServiceAccountTokenVolumeCredentials(path)
