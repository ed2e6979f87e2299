"""What went wrong with Vertex AI, in words that say what to do about it.

Google's libraries raise some forty exceptions; here they become one, with the permission that is
missing and the role that has it, or the command that mends it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

# Roles that have a permission, narrowest first; the first whose prefix fits counts.
_ROLES = (
    ("aiplatform.", "roles/aiplatform.user"),
    ("iam.serviceAccounts.actAs", "roles/iam.serviceAccountUser"),
    ("iam.serviceAccounts.getAccessToken", "roles/iam.serviceAccountTokenCreator"),
    ("storage.buckets.", "roles/storage.legacyBucketReader"),
    ("storage.objects.", "roles/storage.objectUser"),
    ("artifactregistry.", "roles/artifactregistry.reader"),
    ("compute.networks.", "roles/compute.networkUser"),
    ("serviceusage.", "roles/serviceusage.serviceUsageConsumer"),
)
_PERMISSION = re.compile(r"\b([a-z]+\.[A-Za-z]+\.[A-Za-z]+)\b(?=[^.\w]|$)")
_QUOTED_PERMISSION = re.compile(r"[Pp]ermissions?\W{1,3}([a-z]+\.[A-Za-z]+\.[A-Za-z]+)")
_RESOURCE = re.compile(r"//[a-z.]+/([\w./@:-]+)")
_ACCOUNT = re.compile(r"[\w.-]+@[\w-]+(?:\.iam)?\.gserviceaccount\.com")
_DISABLED = re.compile(r"has not been used in project|it is disabled|SERVICE_DISABLED")
_LOGIN = (
    "gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS to the file of "
    "a service account's key"
)


class VertexError(Exception):
    """Vertex AI cannot do what is wanted; the message says why, and what to do."""


class VertexUnreachableError(VertexError):
    """There was no answer; the same may succeed later."""


class VertexMissingError(VertexError):
    """What was named is not there."""


class VertexExistsError(VertexError):
    """What was to be made is there already."""


@contextlib.contextmanager
def explained(task: str) -> Iterator[None]:
    """Turns the errors of Google's libraries into `VertexError`.

    Args:
        task: What is being done, as the end of "cannot …".

    Raises:
        VertexError: Instead of theirs.
    """
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth

    try:
        yield
    except auth.DefaultCredentialsError as error:
        raise VertexError(
            f"cannot {task}: there are no Google Cloud credentials here. {_LOGIN}"
            f"{_detail(error, unless='default credentials were not found')}"
        ) from error
    except auth.RefreshError as error:
        raise VertexError(
            f"cannot {task}: the Google Cloud credentials are expired or revoked. {_LOGIN}"
            f"{_detail(error)}"
        ) from error
    except auth.TransportError as error:
        raise VertexUnreachableError(
            f"cannot {task}: Google's sign-in service does not answer; is there a network?"
            f"{_detail(error)}"
        ) from error
    except auth.GoogleAuthError as error:
        raise VertexError(f"cannot {task}: {_text(error)}") from error
    except api.AlreadyExists as error:
        raise VertexExistsError(f"cannot {task}: {_text(error)}") from error
    except api.NotFound as error:
        raise VertexMissingError(f"cannot {task}: {_not_found(error)}") from error
    except api.Unauthenticated as error:
        raise VertexError(
            f"cannot {task}: the credentials are not accepted. {_LOGIN}{_detail(error)}"
        ) from error
    except api.Forbidden as error:
        raise VertexError(f"cannot {task}: {_forbidden(error)}") from error
    except (api.ResourceExhausted, api.TooManyRequests) as error:
        raise VertexError(
            f"cannot {task}: a quota is used up: {_text(error)}\nwait for others to finish, or ask "
            "for more at https://console.cloud.google.com/iam-admin/quotas"
        ) from error
    except (api.ServiceUnavailable, api.DeadlineExceeded, api.RetryError) as error:
        raise VertexUnreachableError(f"cannot {task}: {_unreachable(error)}") from error
    except (api.InternalServerError, api.Unknown, api.BadGateway) as error:
        raise VertexUnreachableError(
            f"cannot {task}: Vertex AI has a fault of its own; try again later ({_text(error)})"
        ) from error
    except api.GoogleAPICallError as error:
        raise VertexError(f"cannot {task}: {_text(error)}") from error


def _forbidden(error: Any) -> str:
    text = _text(error)
    metadata = error.metadata or {}
    if error.reason == "SERVICE_DISABLED" or _DISABLED.search(text):
        service = metadata.get("service", "aiplatform.googleapis.com")
        return (
            f"the API {service} is not enabled in the project: gcloud services enable {service}, "
            "then wait some minutes"
        )
    if "act as" in text or "actAs" in text:
        account = _ACCOUNT.search(text)
        name = account.group() if account else "SERVICE_ACCOUNT"
        return (
            f"you may not run jobs as {name}: permission iam.serviceAccounts.actAs is missing on "
            f"it\nroles/iam.serviceAccountUser has it: gcloud iam service-accounts "
            f"add-iam-policy-binding {name} --member=MEMBER --role=roles/iam.serviceAccountUser"
        )
    found = _QUOTED_PERMISSION.search(text) or _PERMISSION.search(text)
    permission = metadata.get("permission") or (found and found.group(1))
    if not permission:
        return text
    place = _RESOURCE.search(text)
    resource = metadata.get("resource") or (place.group(1) if place else "the project")
    role = next((role for prefix, role in _ROLES if permission.startswith(prefix)), None)
    missing = f"permission {permission} is missing on {resource} (or it does not exist)"
    if role is None:
        return missing
    return f"{missing}\n{role} has it: {_grant(permission, role, resource, text)}"


def _grant(permission: str, role: str, resource: str, text: str) -> str:
    """The command that gives a role."""
    if permission.startswith("storage."):
        bucket = re.search(r"buckets/([\w.-]+)", resource + " " + text)
        name = bucket.group(1) if bucket else "BUCKET"
        return (
            f"gcloud storage buckets add-iam-policy-binding gs://{name} --member=MEMBER "
            f"--role={role}"
        )
    project = re.search(r"projects/([\w.:-]+)", resource)
    name = project.group(1) if project else "PROJECT"
    return f"gcloud projects add-iam-policy-binding {name} --member=MEMBER --role={role}"


def _not_found(error: Any) -> str:
    return (
        f"{_text(error)}\nlook at the name, the project and the region: what is in one region is "
        "not seen from another"
    )


def _unreachable(error: Any) -> str:
    text = _text(error)
    if "DNS" in text or "resolution failed" in text:
        return (
            "the region's host is not known: there is no network, or no region of Vertex AI has "
            f"that name ({text})"
        )
    return f"Vertex AI does not answer; try again later ({text})"


def _text(error: Any) -> str:
    """An exception's message on one line, without the pages that some carry."""
    message = getattr(error, "message", None) or str(error)
    return " ".join(str(message).split())[:600]


def _detail(error: Any, unless: str | None = None) -> str:
    text = _text(error)
    return "" if unless and unless in text else f" ({text})"
