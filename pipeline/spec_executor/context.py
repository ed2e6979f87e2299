"""What all tasks of a run share."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import re
import threading
import uuid
from collections.abc import Mapping
from typing import Protocol

from pipeline.spec_executor.errors import CancelledError
from pipeline.spec_executor.executor_io import Places
from pipeline.spec_executor.launchers import Launcher
from pipeline.spec_executor.processes import Processes
from pipeline.spec_executor.run import TaskRun
from pipeline.spec_executor.spec import PipelineSpec
from pipeline.spec_executor.store import Store

_UNSAFE = re.compile(r"[^\w.-]+")


class Listener(Protocol):
    """Who is told what happens; called from any thread."""

    def begun(self, name: str, log: pathlib.Path | None) -> None:
        """A task begins, or tries again."""

    def ended(self, task: TaskRun) -> None:
        """A task is over."""


@dataclasses.dataclass
class Context:
    """A run in progress.

    Attributes:
        spec: What is executed.
        store: Where its results are recorded.
        launcher: How containers run.
        processes: Runs them.
        run: The run's id.
        root: Pipeline root, absolute.
        folder: The run's folder in the store.
        jobs: How many containers may run at once.
        use_cache: Whether results of other runs may be taken.
        resumed: Runs whose results are taken in any case.
        listener: Who follows.
    """

    spec: PipelineSpec
    store: Store
    launcher: Launcher
    processes: Processes
    run: str
    root: str
    folder: pathlib.Path
    jobs: int
    use_cache: bool
    resumed: frozenset[str]
    listener: Listener

    def __post_init__(self) -> None:
        self.slots = threading.Semaphore(self.jobs)
        self.cancelled = threading.Event()
        self.fatal: BaseException | None = None
        self.tasks: dict[str, TaskRun] = {}
        self._created = f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
        self._mutex = threading.Lock()

    def job(self, task: str) -> Mapping[str, str]:
        """Values of the placeholders about the run, and about one task of it."""
        resource = f"projects/local/locations/local/pipelineJobs/{self.run}"
        return {
            "pipeline_job_name": self.run,
            "pipeline_job_uuid": self.run,
            "pipeline_job_resource_name": resource,
            "pipeline_task_name": task.rpartition("/")[2],
            "pipeline_task_uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{resource}/{task}")),
            "pipeline_root": self.root,
            "pipeline_job_create_time_utc": self._created,
            "pipeline_job_schedule_time_utc": self._created,
        }

    def places(self, task: str, execution: int) -> Places:
        """Where an execution writes; never where another one did."""
        name = f"{_safe(task)}-{execution}"
        return Places(
            folder=self.folder / "tasks" / name,
            uri=f"{self.root}/{self.run}/{name}",
            identity=f"{self.run}-{execution}",
        )

    def log(self, task: str, execution: int) -> pathlib.Path:
        """The log of an execution."""
        return self.folder / "logs" / f"{_safe(task)}-{execution}.log"

    def check_cancelled(self) -> None:
        """Raises CancelledError once the run is being stopped."""
        if self.cancelled.is_set():
            raise CancelledError("the run was stopped")

    def end(self, task: TaskRun) -> None:
        """Keeps and tells how a task ended."""
        with self._mutex:
            self.tasks[task.name] = task
        self.listener.ended(task)

    def abort(self, error: BaseException) -> None:
        """Stops the run for an error that is no task's."""
        with self._mutex:
            self.fatal = self.fatal or error
        self.stop()

    def stop(self) -> None:
        """Ends what runs; what has not begun does not begin."""
        self.cancelled.set()
        self.processes.stop()


def _safe(task: str) -> str:
    return _UNSAFE.sub("-", task.replace("/", "."))
