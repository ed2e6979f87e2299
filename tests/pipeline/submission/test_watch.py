"""Following a job: on a terminal a table of the tasks stands below what has changed."""

from __future__ import annotations

import datetime
import io
from typing import Any

import pytest
from rich.console import Console

from pipeline.submission import watch
from pipeline.submission.jobs import Job, State, Task

START = datetime.datetime(2026, 11, 26, 10, tzinfo=datetime.timezone.utc)


class Platform:
    """Answers with what it was given, one after the other; an exception is raised."""

    unreachable = ConnectionError

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def job(self, name: str) -> Job:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def job(state: State, *tasks: Task) -> Job:
    return Job("job-1", "flowers", state, "https://page", tasks=tasks)


def test_a_terminal_shows_all_tasks():
    done = Task("Ingest[x]", State.SUCCEEDED, START, START + datetime.timedelta(seconds=75))
    running = Task("Train", State.RUNNING, START)
    screen = io.StringIO()
    platform: Any = Platform(
        job(State.RUNNING, done, running, Task("Push", State.PENDING)),
        job(State.SUCCEEDED, done),
    )
    console = Console(file=screen, force_terminal=True, color_system=None, width=80)
    found = watch.watch(platform, "job-1", console, interval=0)
    shown = screen.getvalue()
    assert found.state is State.SUCCEEDED
    assert "Ingest[x]  succeeded  0:01:15" in shown
    assert "Push       pending" in shown


def test_a_long_silence_ends_the_wait(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watch, "_PATIENCE", 3)
    silent: Any = Platform(*[ConnectionError("reset")] * 3)
    with pytest.raises(ConnectionError):
        watch.watch(silent, "job-1", Console(file=io.StringIO()), interval=0)
    # An answer in between begins it anew.
    errors = [ConnectionError("reset")] * 2
    patient: Any = Platform(*errors, job(State.RUNNING), *errors, job(State.FAILED))
    screen = io.StringIO()
    assert watch.watch(patient, "j", Console(file=screen), interval=0).state is State.FAILED
    assert screen.getvalue().count("no answer") == 2


def test_other_errors_end_it_at_once():
    platform: Any = Platform(PermissionError("no"), job(State.SUCCEEDED))
    with pytest.raises(PermissionError):
        watch.watch(platform, "job-1", Console(file=io.StringIO()), interval=0)


def test_failures_name_the_tasks():
    failed = job(State.FAILED, Task("Train", State.FAILED, error="no memory"))
    assert watch.failures(failed) == ["Train: no memory"]
    assert watch.failures(job(State.SUCCEEDED)) == []
