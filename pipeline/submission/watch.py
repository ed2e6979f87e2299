"""Follows a job until it ends: a line for each change of a task, on a terminal a table below."""

from __future__ import annotations

import datetime
import time

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.submission.jobs import Job, Platform, State, Task

# Seconds between two looks.
INTERVAL = 10.0
# Looks in a row that the platform may leave without an answer, half an hour of them.
_PATIENCE = 180
_STYLES = {
    State.SUCCEEDED: "green",
    State.FAILED: "red",
    State.CANCELLED: "yellow",
    State.RUNNING: "bold",
}


def watch(platform: Platform, name: str, console: Console, *, interval: float | None = None) -> Job:
    """Follows a job.

    Args:
        platform: Where it runs.
        name: The job's name there.
        console: For what happens.
        interval: Seconds between two looks; None for `INTERVAL`.

    Returns:
        The job as it ended.

    Raises:
        Exception: Those of `platform.job`; that it does not answer only after half an hour.
    """
    seen: dict[str, State] = {}
    state: State | None = None
    unanswered = 0
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while True:
            try:
                job = platform.job(name)
            except platform.unreachable as error:
                unanswered += 1
                if unanswered >= _PATIENCE:
                    raise
                if unanswered == 1:
                    _say(console, f"no answer, asking again: {error}")
            else:
                unanswered = 0
                for task in job.tasks:
                    if seen.get(task.name) != task.state:
                        _say(console, f"{task.name}  {task.state.value}", task.state)
                    seen[task.name] = task.state
                if job.state != state:
                    _say(console, f"whole job  {job.state.value}", job.state)
                state = job.state
                if state.final:
                    return job
                if console.is_terminal:
                    live.update(task_table(job), refresh=True)
            time.sleep(INTERVAL if interval is None else interval)


def task_table(job: Job) -> Table:
    """Returns a table of a job's tasks with their states and times."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for task in job.tasks:
        style = _STYLES.get(task.state, "")
        table.add_row(Text(task.name), Text(task.state.value, style), Text(_duration(task)))
    return table


def failures(job: Job) -> list[str]:
    """Returns lines that say why a job failed."""
    lines = [f"{task.name}: {task.error or 'failed'}" for task in job.tasks if _failed(task)]
    return [*([job.error] if job.error else []), *lines]


def _failed(task: Task) -> bool:
    return task.state is State.FAILED


def _duration(task: Task) -> str:
    if task.started is None:
        return ""
    end = task.ended or datetime.datetime.now(task.started.tzinfo)
    return str(datetime.timedelta(seconds=max(0, round((end - task.started).total_seconds()))))


def _say(console: Console, text: str, state: State = State.UNKNOWN) -> None:
    line = Text(f"{datetime.datetime.now():%H:%M:%S}  ", style="dim")
    console.print(line.append(text, style=_STYLES.get(state, "")), soft_wrap=True)
