"""Jobs on Kubeflow Pipelines, which calls them runs. Schedules: `kubeflow_schedules.py`."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from pipeline.submission import kubeflow_schedules
from pipeline.submission.errors import SubmissionError
from pipeline.submission.jobs import Job, JobRequest, Schedule, State, Task, Timing
from pipeline.submission.kubeflow_client import CALL_TIMEOUT, KubeflowPlace, connect
from pipeline.submission.kubeflow_errors import KubeflowUnreachableError, explained

_STATES = {
    "PENDING": State.PENDING,
    "RUNNING": State.RUNNING,
    "SUCCEEDED": State.SUCCEEDED,
    "SKIPPED": State.SKIPPED,
    "FAILED": State.FAILED,
    "CANCELING": State.CANCELLING,
    "CANCELED": State.CANCELLED,
    "PAUSED": State.PAUSED,
}
_DEFAULT_EXPERIMENT = "Default"


class Kubeflow:
    """Kubeflow Pipelines on one server; a `jobs.Platform`."""

    unreachable: type[Exception] = KubeflowUnreachableError

    def __init__(self, place: KubeflowPlace) -> None:
        """Keeps the place; the connection is made by the first call."""
        self.place = place
        self._opened: tuple[Any, str] | None = None

    @property
    def _connection(self) -> tuple[Any, str]:
        if self._opened is None:
            self._opened = connect(self.place)
        return self._opened

    @property
    def _client(self) -> Any:
        return self._connection[0]

    @property
    def _host(self) -> str:
        return self._connection[1]

    def description(self, request: JobRequest) -> dict[str, Any]:
        """Returns the run as JSON values."""
        return {
            "host": self.place.host,
            "experiment": request.experiment or _DEFAULT_EXPERIMENT,
            "run": run_fields(request),
        }

    def submit(self, request: JobRequest) -> Job:
        """Starts a run."""
        import kfp_server_api

        fields = run_fields(request)
        body = kfp_server_api.V2beta1Run(experiment_id=self._experiment(request), **fields)
        with explained(f"submit {request.spec.path}", self._host):
            run = self._client.runs.run_service_create_run(body, _request_timeout=CALL_TIMEOUT)
            if not run.run_id:
                raise ValueError("it answers no run")
        return self._job(run)

    def job(self, name: str) -> Job:
        """Returns a run with its tasks."""
        with explained(f"look at run {name}", self._host):
            run = self._client.runs.run_service_get_run(name, _request_timeout=CALL_TIMEOUT)
        return self._job(run)

    def jobs(self, limit: int) -> list[Job]:
        """Returns the newest runs."""
        with explained("list the runs", self._host):
            answer = self._client.runs.run_service_list_runs(
                page_size=limit,
                sort_by="created_at desc",
                _request_timeout=CALL_TIMEOUT,
                **self._in_namespace(),
            )
        return [self._job(run) for run in answer.runs or ()][:limit]

    def cancel(self, name: str) -> None:
        """Asks for a run's end."""
        with explained(f"cancel run {name}", self._host):
            self._client.runs.run_service_terminate_run(name, _request_timeout=CALL_TIMEOUT)

    def create_schedule(self, request: JobRequest, title: str, timing: Timing) -> Schedule:
        """Makes a recurring run."""
        cron = kubeflow_schedules.six_fields(timing)
        fields = run_fields(request) | {"display_name": title}
        fields["experiment_id"] = self._experiment(request)
        return kubeflow_schedules.create(
            self._client, self._host, fields, cron, timing.max_concurrent
        )

    def schedules(self) -> list[Schedule]:
        """Returns all recurring runs, newest first."""
        return kubeflow_schedules.all_of(self._client, self._host, self._in_namespace())

    def pause_schedule(self, name: str) -> None:
        """Submits no more until it is resumed."""
        kubeflow_schedules.pause(self._client, self._host, name)

    def resume_schedule(self, name: str) -> None:
        """Submits again, from the next time on."""
        kubeflow_schedules.resume(self._client, self._host, name)

    def delete_schedule(self, name: str) -> None:
        """Removes a recurring run."""
        kubeflow_schedules.delete(self._client, self._host, name)

    def _in_namespace(self) -> dict[str, str]:
        namespace = self.place.namespace or self._client.get_user_namespace()
        return {"namespace": namespace} if namespace else {}

    def _experiment(self, request: JobRequest) -> str:
        """The id of the wanted experiment, which is made if it is not there."""
        name = request.experiment or _DEFAULT_EXPERIMENT
        # The client prints a link.
        with (
            explained(f"find experiment {name}", self._host),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            found = self._client.create_experiment(name, **self._in_namespace())
        return found.experiment_id

    def _job(self, run: Any) -> Job:
        details = run.run_details.task_details if run.run_details else None
        return Job(
            name=run.run_id,
            title=run.display_name or "",
            # Right after it was made, a run has no state.
            state=_STATES.get(run.state, State.PENDING if run.state is None else State.UNKNOWN),
            link=f"{self._host}/#/runs/details/{run.run_id}",
            created=run.created_at,
            error=(run.error.message if run.error else "") or "",
            tasks=_tasks(details or ()),
        )


def run_fields(request: JobRequest) -> dict[str, Any]:
    """Returns the fields of a `V2beta1Run` or `V2beta1RecurringRun`, without the experiment's id.

    Raises:
        SubmissionError: The request has what only Vertex AI has.
    """
    if request.labels or request.network:
        raise SubmissionError("labels and networks are Vertex AI's; Kubeflow runs have neither")
    spec = request.spec if request.cache else request.spec.without_cache()
    pipeline: dict[str, Any] = spec.pipeline
    if spec.platform_settings:
        pipeline = {"pipeline_spec": pipeline, "platform_spec": spec.platform_settings}
    runtime: dict[str, Any] = {"parameters": dict(request.parameters)}
    root = request.pipeline_root or request.spec.pipeline_root
    if root:
        runtime["pipeline_root"] = root
    fields = {
        "display_name": request.title,
        "pipeline_spec": pipeline,
        "runtime_config": runtime,
    }
    if request.service_account:
        fields["service_account"] = request.service_account
    return fields


def _tasks(details: Any) -> tuple[Task, ...]:
    """The pipeline's own tasks; Kubeflow adds the root, and a driver and executor of each."""
    found: dict[str, Task] = {}
    for detail in details:
        name = detail.display_name or ""
        if name in ("", "root", "driver", "executor") or name.endswith(("-driver", "-executor")):
            continue
        found[name] = Task(
            name=name,
            state=_STATES.get(detail.state, State.PENDING),
            started=detail.start_time,
            ended=detail.end_time,
            error=(detail.error.message if detail.error else "") or "",
        )
    return tuple(sorted(found.values(), key=lambda task: (not task.started, str(task.started))))
