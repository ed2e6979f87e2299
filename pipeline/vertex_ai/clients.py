"""Opens Vertex AI's service clients for one project and region.

These are the generated clients of google-cloud-aiplatform, whose requests are Vertex AI's own
messages; its hand-written classes above them create buckets and swallow errors. Not for what is
asked of the services.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from typing import Any

from pipeline.vertex_ai.errors import VertexError, explained

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_PROJECT = re.compile(r"(?:[a-z][-a-z0-9.]*:)?[a-z0-9][-a-z0-9]{4,61}")
_REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+")
# Seconds for one answer; none of the calls made here does long work before it answers.
CALL_TIMEOUT = 60.0


@dataclasses.dataclass(frozen=True)
class VertexPlace:
    """Where on Vertex AI.

    Attributes:
        project: Id of a Google Cloud project, or its number.
        region: As `europe-west4`.
        api_endpoint: Host, perhaps with a port, where the service is reached, for Private Service
            Connect; None for the region's public one.
    """

    project: str
    region: str
    api_endpoint: str | None = None

    @property
    def parent(self) -> str:
        """The resource name that all others of the place begin with."""
        return f"projects/{self.project}/locations/{self.region}"

    @property
    def host(self) -> str:
        """Where the service is reached."""
        return self.api_endpoint or f"{self.region}-aiplatform.googleapis.com"


def find_place(
    project: str | None, region: str | None, api_endpoint: str | None = None
) -> VertexPlace:
    """Decides where, from what was said and the environment.

    Args:
        project: None for that of GOOGLE_CLOUD_PROJECT or of the credentials.
        region: None for that of GOOGLE_CLOUD_REGION or CLOUD_ML_REGION.
        api_endpoint: See `VertexPlace`.

    Raises:
        VertexError: One of them is found nowhere, or is no name of such a thing.
    """
    region = region or os.environ.get("GOOGLE_CLOUD_REGION") or os.environ.get("CLOUD_ML_REGION")
    if not region:
        raise VertexError(
            "the region is not known: give --region, for instance europe-west4, or set "
            "GOOGLE_CLOUD_REGION"
        )
    if not _REGION.fullmatch(region):
        raise VertexError(f"{region} is no region; they look like europe-west4 (not a zone)")
    if project is None:
        with explained("find the project"):
            project = _credentials()[1]
    if not project:
        raise VertexError(
            "the project is not known: give --project, or set GOOGLE_CLOUD_PROJECT, since the "
            "credentials name none"
        )
    if not _PROJECT.fullmatch(project):
        raise VertexError(f"{project} is no id of a Google Cloud project")
    return VertexPlace(project, region, api_endpoint)


def connect(service: str, place: VertexPlace) -> Any:
    """Opens a client.

    Args:
        service: Which one: `Pipeline`, `Schedule`, `Model`, `Endpoint`, …
        place: Where.

    Returns:
        `google.cloud.aiplatform_v1.<service>ServiceClient`.

    Raises:
        VertexError: There are no credentials, or google-cloud-aiplatform is not installed.
    """
    try:
        from google.cloud import aiplatform_v1
    except ImportError as error:
        raise VertexError(
            "Vertex AI needs google-cloud-aiplatform, which is not in this environment: "
            "pip install 'google-cloud-aiplatform>=1.56,<2'"
        ) from error

    client = getattr(aiplatform_v1, f"{service}ServiceClient")
    with explained("sign in to Google Cloud"):
        credentials, _ = _credentials()
        _sign_in(credentials)
        transport = client.get_transport_class("grpc")
        channel = open_channel(transport, place.host, credentials)
        return client(transport=transport(host=place.host, channel=channel))


def open_channel(transport: Any, host: str, credentials: Any) -> Any:
    """Opens the gRPC channel that a service's transport uses."""
    return transport.create_channel(
        host,
        credentials=credentials,
        scopes=_SCOPES,
        # As the generated transports themselves have it: answers may be large.
        options=[("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)],
    )


def _sign_in(credentials: Any) -> None:
    """Gets a token now: within a call, gRPC would tell a refusal as a server that is silent."""
    from google.auth.transport.requests import Request

    if not credentials.valid:
        credentials.refresh(Request())


@functools.cache
def _credentials() -> tuple[Any, str | None]:
    """Application default credentials and the project that they name."""
    import google.auth

    credentials, project = google.auth.default(scopes=_SCOPES)
    return credentials, project
