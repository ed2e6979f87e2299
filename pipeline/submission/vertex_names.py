"""Names of jobs and schedules on Vertex AI, and their pages in the console."""

from __future__ import annotations

import re

from pipeline.vertex_ai.clients import VertexPlace


def full_name(place: VertexPlace, name: str, kind: str = "pipelineJobs") -> str:
    """Returns the resource name of a job or schedule whose last part may be given alone."""
    return name if "/" in name else f"{place.parent}/{kind}/{name}"


def console_page(place: VertexPlace, name: str, page: str = "runs") -> str:
    """Returns the page of a job (`runs`) or schedule (`schedules`) in the console."""
    identity = name.rsplit("/", 1)[-1]
    return (
        f"https://console.cloud.google.com/vertex-ai/locations/{place.region}/pipelines/"
        f"{page}/{identity}?project={place.project}"
    )


def place_of(name: str) -> tuple[str, str] | None:
    """Returns project and region of a full resource name, None for any other name."""
    parts = re.match(r"projects/([^/]+)/locations/([^/]+)/", name)
    return (parts.group(1), parts.group(2)) if parts else None
