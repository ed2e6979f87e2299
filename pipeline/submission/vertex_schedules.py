"""Schedules of Vertex AI Pipelines.

`client` is a `google.cloud.aiplatform_v1.ScheduleServiceClient`.
"""

from __future__ import annotations

from typing import Any

from pipeline.submission.jobs import JobRequest, Schedule, Timing
from pipeline.submission.vertex_job import pipeline_job
from pipeline.submission.vertex_names import console_page, full_name
from pipeline.vertex_ai.clients import CALL_TIMEOUT, VertexPlace
from pipeline.vertex_ai.errors import explained
from pipeline.vertex_ai.operations import finished

_DELETE_TIMEOUT = 300.0


def create(
    client: Any, place: VertexPlace, request: JobRequest, title: str, timing: Timing
) -> Schedule:
    """Makes a schedule; each of its jobs gets the pipeline's name and time as its id."""
    from google.cloud.aiplatform_v1 import types

    zone = f"TZ={timing.time_zone} " if timing.time_zone else ""
    schedule = types.Schedule(
        display_name=title,
        cron=f"{zone}{timing.cron}",
        max_concurrent_run_count=timing.max_concurrent,
        create_pipeline_job_request=types.CreatePipelineJobRequest(
            parent=place.parent, pipeline_job=pipeline_job(request)
        ),
    )
    with explained(f"make a schedule in {place.parent}"):
        created = client.create_schedule(
            parent=place.parent, schedule=schedule, timeout=CALL_TIMEOUT
        )
    return _schedule(place, created)


def all_of(client: Any, place: VertexPlace) -> list[Schedule]:
    """Returns all schedules of pipelines, newest first."""
    from google.cloud.aiplatform_v1.types import ListSchedulesRequest

    listing = ListSchedulesRequest(parent=place.parent, order_by="create_time desc")
    with explained(f"list the schedules of {place.parent}"):
        found = list(client.list_schedules(listing, timeout=CALL_TIMEOUT))
    # Notebooks have schedules too.
    return [_schedule(place, one) for one in found if "create_pipeline_job_request" in one]


def pause(client: Any, place: VertexPlace, name: str) -> None:
    """Submits no more until it is resumed."""
    with explained(f"pause schedule {name}"):
        client.pause_schedule(name=full_name(place, name, "schedules"), timeout=CALL_TIMEOUT)


def resume(client: Any, place: VertexPlace, name: str) -> None:
    """Submits again, from the next time on."""
    from google.cloud.aiplatform_v1.types import ResumeScheduleRequest

    request = ResumeScheduleRequest(name=full_name(place, name, "schedules"), catch_up=False)
    with explained(f"resume schedule {name}"):
        client.resume_schedule(request, timeout=CALL_TIMEOUT)


def delete(client: Any, place: VertexPlace, name: str) -> None:
    """Removes a schedule and waits until it is gone."""
    finished(
        f"delete schedule {name}",
        lambda: client.delete_schedule(
            name=full_name(place, name, "schedules"), timeout=CALL_TIMEOUT
        ),
        timeout=_DELETE_TIMEOUT,
    )


def _schedule(place: VertexPlace, found: Any) -> Schedule:
    return Schedule(
        name=found.name,
        title=found.display_name,
        state=found.state.name.lower(),
        cron=found.cron,
        next_run=found.next_run_time,
        link=console_page(place, found.name, "schedules"),
    )
