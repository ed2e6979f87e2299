"""Jobs on Vertex AI Pipelines. Schedules: `vertex_schedules.py`."""

from __future__ import annotations

from typing import Any

from pipeline.submission import vertex_schedules
from pipeline.submission.jobs import Job, JobRequest, Schedule, State, Task, Timing
from pipeline.submission.vertex_job import job_id, new_job_id, pipeline_job
from pipeline.submission.vertex_names import console_page, full_name
from pipeline.vertex_ai.clients import CALL_TIMEOUT, VertexPlace, connect
from pipeline.vertex_ai.errors import VertexExistsError, VertexUnreachableError, explained

_JOB_STATES = {
    "QUEUED": State.PENDING,
    "PENDING": State.PENDING,
    "RUNNING": State.RUNNING,
    "SUCCEEDED": State.SUCCEEDED,
    "FAILED": State.FAILED,
    "CANCELLING": State.CANCELLING,
    "CANCELLED": State.CANCELLED,
    "PAUSED": State.PAUSED,
}
_TASK_STATES = {
    "PENDING": State.PENDING,
    "RUNNING": State.RUNNING,
    "SUCCEEDED": State.SUCCEEDED,
    "CANCEL_PENDING": State.CANCELLING,
    "CANCELLING": State.CANCELLING,
    "CANCELLED": State.CANCELLED,
    "FAILED": State.FAILED,
    "SKIPPED": State.SKIPPED,
    "NOT_TRIGGERED": State.SKIPPED,
}


class Vertex:
    """Vertex AI Pipelines in one project and region; a `jobs.Platform`."""

    unreachable: type[Exception] = VertexUnreachableError

    def __init__(self, place: VertexPlace) -> None:
        """Keeps the place; the connection is made by the first call."""
        self.place = place
        self._opened: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Returns the client of a service, see `clients.connect`."""
        if service not in self._opened:
            self._opened[service] = connect(service, self.place)
        return self._opened[service]

    def description(self, request: JobRequest) -> dict[str, Any]:
        """Returns the request of `CreatePipelineJob` as JSON values."""
        from google.protobuf import json_format

        message = pipeline_job(request)
        return {
            "parent": self.place.parent,
            "pipelineJobId": _identity(request),
            "pipelineJob": json_format.MessageToDict(type(message).pb(message)),
        }

    def submit(self, request: JobRequest) -> Job:
        """Starts a job; that of the same key, if there is one, is returned as it is."""
        message = pipeline_job(request)
        identity = _identity(request)
        try:
            with explained(f"submit {request.spec.path} to {self.place.parent}"):
                created = self.client("Pipeline").create_pipeline_job(
                    parent=self.place.parent,
                    pipeline_job=message,
                    pipeline_job_id=identity,
                    timeout=CALL_TIMEOUT,
                )
        except VertexExistsError:
            if request.key is None:
                raise
            return self.job(identity)
        return self._job(created)

    def job(self, name: str) -> Job:
        """Returns a job with its tasks."""
        with explained(f"look at job {name}"):
            found = self.client("Pipeline").get_pipeline_job(
                name=full_name(self.place, name), timeout=CALL_TIMEOUT
            )
        return self._job(found)

    def jobs(self, limit: int) -> list[Job]:
        """Returns the newest jobs."""
        from google.cloud.aiplatform_v1.types import ListPipelineJobsRequest

        listing = ListPipelineJobsRequest(
            parent=self.place.parent,
            order_by="create_time desc",
            page_size=limit,
            read_mask="name,displayName,state,createTime",
        )
        with explained(f"list the jobs of {self.place.parent}"):
            answer = self.client("Pipeline").list_pipeline_jobs(listing, timeout=CALL_TIMEOUT)
            (page,) = [next(iter(answer.pages))]
        return [self._job(job) for job in page.pipeline_jobs][:limit]

    def cancel(self, name: str) -> None:
        """Asks for a job's end."""
        with explained(f"cancel job {name}"):
            self.client("Pipeline").cancel_pipeline_job(
                name=full_name(self.place, name), timeout=CALL_TIMEOUT
            )

    def create_schedule(self, request: JobRequest, title: str, timing: Timing) -> Schedule:
        """Makes a schedule."""
        return vertex_schedules.create(self.client("Schedule"), self.place, request, title, timing)

    def schedules(self) -> list[Schedule]:
        """Returns all schedules, newest first."""
        return vertex_schedules.all_of(self.client("Schedule"), self.place)

    def pause_schedule(self, name: str) -> None:
        """Submits no more until it is resumed."""
        vertex_schedules.pause(self.client("Schedule"), self.place, name)

    def resume_schedule(self, name: str) -> None:
        """Submits again, from the next time on."""
        vertex_schedules.resume(self.client("Schedule"), self.place, name)

    def delete_schedule(self, name: str) -> None:
        """Removes a schedule."""
        vertex_schedules.delete(self.client("Schedule"), self.place, name)

    def _job(self, found: Any) -> Job:
        return Job(
            name=found.name,
            title=found.display_name,
            state=_JOB_STATES.get(found.state.name.removeprefix("PIPELINE_STATE_"), State.UNKNOWN),
            link=console_page(self.place, found.name),
            created=found.create_time,
            error=found.error.message,
            tasks=_tasks(found.job_detail.task_details),
        )


def _identity(request: JobRequest) -> str:
    return job_id(request.spec, request.key) if request.key else new_job_id(request.spec)


def _tasks(details: Any) -> tuple[Task, ...]:
    """The tasks that do something: not the pipeline itself, nor groups of tasks."""
    groups = {detail.parent_task_id for detail in details}
    tasks = [
        Task(
            name=detail.task_name,
            state=_TASK_STATES.get(detail.state.name, State.UNKNOWN),
            started=detail.start_time,
            ended=detail.end_time,
            error=detail.error.message,
        )
        for detail in details
        if detail.parent_task_id and detail.task_id not in groups
    ]
    return tuple(sorted(tasks, key=lambda task: (task.started is None, str(task.started))))
