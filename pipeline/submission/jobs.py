"""What is asked of a platform and what it answers, the same for Vertex AI and Kubeflow Pipelines.

Not for talking to either (`vertex.py`, `kubeflow.py`).
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Mapping
from typing import Any, Protocol

from pipeline.submission.spec_file import SpecFile


class State(enum.Enum):
    """How far a job or a task is."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen."""
        return self in (State.SUCCEEDED, State.SKIPPED, State.FAILED, State.CANCELLED)


@dataclasses.dataclass(frozen=True)
class Task:
    """A task of a job.

    Attributes:
        name: Unique in the job.
        state: How far it is.
        started: When it began; None before.
        ended: When it ended; None before.
        error: Why it failed, if the platform says so.
    """

    name: str
    state: State
    started: datetime.datetime | None = None
    ended: datetime.datetime | None = None
    error: str = ""


@dataclasses.dataclass(frozen=True)
class Job:
    """A job on a platform.

    Attributes:
        name: What the platform knows it by.
        title: Its display name.
        state: How far it is.
        link: Its page in the platform's console.
        created: When it was submitted.
        error: Why it failed, if the platform says so.
        tasks: Those that the platform has begun to look at, in the order of their start.
    """

    name: str
    title: str
    state: State
    link: str
    created: datetime.datetime | None = None
    error: str = ""
    tasks: tuple[Task, ...] = ()


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Jobs to come.

    Attributes:
        name: What the platform knows it by.
        title: Its display name.
        state: `active`, `paused` or `completed`.
        cron: When, as the platform keeps it.
        next_run: When the next job begins, if the platform says so.
        link: Its page in the platform's console.
    """

    name: str
    title: str
    state: str
    cron: str
    next_run: datetime.datetime | None
    link: str


@dataclasses.dataclass(frozen=True)
class JobRequest:
    """A job to submit.

    Attributes:
        spec: The compiled pipeline.
        title: Display name of the job.
        parameters: Runtime parameters that differ from the spec's.
        pipeline_root: Where artifacts go; None for the spec's.
        service_account: Whom the tasks run as; None for the spec's or the platform's default.
        network: VPC that tasks are peered with (Vertex AI).
        labels: More labels (Vertex AI).
        experiment: Experiment that the run belongs to (Kubeflow).
        cache: False to repeat every task.
        key: Lower-case letters and digits; of two requests with one key only the first makes a
            job, where the platform can tell (Vertex AI). None to make one in any case.
    """

    spec: SpecFile
    title: str
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    pipeline_root: str | None = None
    service_account: str | None = None
    network: str | None = None
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    experiment: str | None = None
    cache: bool = True
    key: str | None = None


@dataclasses.dataclass(frozen=True)
class Timing:
    """When a schedule's jobs begin.

    Attributes:
        cron: Five fields, checked (`cron.py`).
        time_zone: IANA name, or None for UTC.
        max_concurrent: Jobs of the schedule that may run at once.
    """

    cron: str
    time_zone: str | None
    max_concurrent: int


class Platform(Protocol):
    """Where jobs run.

    Attributes:
        unreachable: The error that says that the platform did not answer, and may do so later.
    """

    unreachable: type[Exception]

    def description(self, request: JobRequest) -> dict[str, Any]:
        """Returns what `submit` would send, for people to read; calls nothing."""

    def submit(self, request: JobRequest) -> Job:
        """Starts a job."""

    def job(self, name: str) -> Job:
        """Returns a job with its tasks."""

    def jobs(self, limit: int) -> list[Job]:
        """Returns the newest jobs, without their tasks."""

    def cancel(self, name: str) -> None:
        """Asks for a job's end."""

    def create_schedule(self, request: JobRequest, title: str, timing: Timing) -> Schedule:
        """Makes a schedule that submits the job again and again."""

    def schedules(self) -> list[Schedule]:
        """Returns all schedules, newest first."""

    def pause_schedule(self, name: str) -> None:
        """Submits no more until it is resumed."""

    def resume_schedule(self, name: str) -> None:
        """Submits again, from the next time on; what was missed is not made up for."""

    def delete_schedule(self, name: str) -> None:
        """Removes a schedule; its jobs stay."""
