"""Follows a run on a terminal, as a table of what runs and a line for what is over.

Elsewhere (a file, a CI log) only the lines are written.
"""

from __future__ import annotations

import dataclasses
import pathlib
import threading
import time
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pipeline.spec_executor.failure import last_line
from pipeline.spec_executor.run import State, TaskRun
from pipeline.spec_executor.spec import Component, Dag, PipelineSpec

_WORDS = {
    State.SKIPPED: "skipped",
    State.NOT_TRIGGERED: "not run",
    State.FAILED: "failed",
    State.CANCELLED: "stopped",
}
_STYLES = {State.FAILED: "red", State.CANCELLED: "yellow"}


@dataclasses.dataclass
class _Running:
    started: float
    log: pathlib.Path | None
    spinner: Spinner


class Display:
    """A listener that writes to a console; used as a context."""

    def __init__(self, console: Console, spec: PipelineSpec) -> None:
        """Watches a run.

        Args:
            console: Where to write.
            spec: What is run.
        """
        self._console = console
        names = _leaves(spec, spec.root, "")
        self._total = len(names)
        self._width = max((len(name) for name in names), default=0)
        self._over = 0
        self._running: dict[str, _Running] = {}
        self._mutex = threading.RLock()
        self._live = Live(
            get_renderable=self._table,
            console=console,
            transient=True,
            refresh_per_second=4,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def begun(self, name: str, log: pathlib.Path | None) -> None:
        """Shows a task that runs."""
        with self._mutex:
            self._running[name] = _Running(time.monotonic(), log, Spinner("dots"))

    def ended(self, task: TaskRun) -> None:
        """Writes the line of a task that is over; of a DAG, only if there is something to say."""
        with self._mutex:
            self._running.pop(task.name, None)
            if task.is_dag:
                if task.state in (State.SKIPPED, State.NOT_TRIGGERED):
                    self._console.print(
                        Text(f"          {task.name:<{self._width}} {_took(task):>8}")
                    )
                return
            self._over += 1
            line = f"  [{self._over:2}/{self._total}] {task.name:<{self._width}} {_took(task):>8}"
            self._console.print(Text(line, style=_STYLES.get(task.state, "")), soft_wrap=True)
            if task.state is State.FAILED:
                self._explain(task)

    def _explain(self, task: TaskRun) -> None:
        for line in (task.error or "").splitlines():
            self._console.print(Text(f"          {line}"), soft_wrap=True)
        if task.log is not None and task.log.exists():
            self._console.print(Text(f"          log: {task.log}"), soft_wrap=True)

    def _table(self) -> RenderableType:
        """A row for each task that runs: its name, its time, its last words."""
        with self._mutex:
            running = {n: r for n, r in self._running.items() if r.log is not None}
        if not running:
            return ""
        table = Table.grid(padding=(0, 1))
        for _ in range(3):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for name, one in running.items():
            seconds = time.monotonic() - one.started
            words = (last_line(one.log) if one.log else "") or "starting"
            table.add_row(
                Group(one.spinner), Text(name), Text(f"{seconds:6.0f} s"), Text(words, style="dim")
            )
        return table

    def __enter__(self) -> Display:
        """Starts to draw."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        """Stops drawing."""
        self._live.stop()


def _took(task: TaskRun) -> str:
    if task.state in _WORDS:
        return _WORDS[task.state]
    return "cached" if task.cached else f"{task.seconds:.1f} s"


def _leaves(spec: PipelineSpec, component: Component, path: str) -> list[str]:
    """The paths of all tasks that are no DAGs themselves."""
    dag = component.implementation
    if not isinstance(dag, Dag):
        return [path.rstrip("/")]
    return [
        leaf
        for name, task in dag.tasks.items()
        for leaf in _leaves(spec, spec.components[task.component], f"{path}{name}/")
    ]
