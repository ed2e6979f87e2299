"""Follows a local run by what TFX logs: which component runs, how long it took, if it was cached.

LocalDagRunner has no hooks; the lines it logs at each component's start and end are the interface.
What a component's own lines say of how far it is: `followed.py`.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from pipeline.followed import FollowedWork
from pipeline.pace import in_words

_START = re.compile(r"^Component (\S+) is running\.$")
_END = re.compile(r"^Component (\S+) is finished\.$")
_CACHED = re.compile(r"^A cached execution \S+ is used\.$")
# Of what is logged at the end of an epoch, what a person wants to follow.
_SHOWN = ("loss", "accuracy", "val_recall_at_1", "val_map_at_r")
# Where no line can be written over: seconds without any after which one says how far it is.
_SECONDS_BETWEEN_LINES = 60.0


def _shorten(values: str) -> str:
    """Keeps the most telling of the `name value` pairs of an epoch."""
    words = values.split()
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    return "  ".join(f"{name} {pairs[name]}" for name in _SHOWN if name in pairs)


@dataclasses.dataclass
class Step:
    """A component that was run.

    Attributes:
        id: The component's id in the DAG.
        seconds: Wall time, driver and publisher included; None until it is finished.
        cached: Whether an earlier run's result was taken.
    """

    id: str
    seconds: float | None = None
    cached: bool = False


class ProgressHandler(logging.Handler):
    """Turns log records of a run into steps, and into lines on the console.

    On a terminal, a last line follows the running component; elsewhere finished components and
    epochs are written, and once a minute how far a long component is.

    Attributes:
        steps: What ran so far, in order.
    """

    def __init__(
        self,
        console: Console,
        component_ids: list[str],
        images: Mapping[str, int] | None = None,
    ) -> None:
        """Watches a run.

        Args:
            console: Where to write.
            component_ids: The components that will run.
            images: How many images a component works on, by its id, where that is known.
        """
        super().__init__(logging.INFO)
        self.steps: list[Step] = []
        self._console = console
        self._total = len(component_ids)
        self._width = max((len(name) for name in component_ids), default=0)
        self._images = images or {}
        self._started = 0.0
        self._work = FollowedWork()
        self._written_at = 0.0
        self._spinner = Spinner("dots")
        self._live = Live(
            get_renderable=self._status,
            console=console,
            transient=True,
            refresh_per_second=4,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @property
    def running(self) -> Step | None:
        """The step that has begun and not ended."""
        return self.steps[-1] if self.steps and self.steps[-1].seconds is None else None

    def emit(self, record: logging.LogRecord) -> None:
        """Looks at one log record."""
        message, now = record.getMessage(), time.monotonic()
        if match := _START.match(message):
            self.steps.append(Step(match[1]))
            self._started = self._written_at = now
            self._work = FollowedWork(self._images.get(match[1]))
        elif _CACHED.match(message) and self.running:
            self.running.cached = True
        elif self._work.read(message, now):
            if not self._console.is_terminal and now - self._written_at >= _SECONDS_BETWEEN_LINES:
                name = self.steps[-1].id if self.steps else ""
                self._print(f"          {name}  {self._work.words(now)}", now)
        elif epoch := self._work.read_epoch(message, now):
            number, values, left = epoch
            rest = f"  {in_words(left)} left" if left is not None else ""
            self._print(f"          epoch {number}  {_shorten(values)}{rest}", now)
        elif _END.match(message) and (step := self.running):
            step.seconds = now - self._started
            took = "cached" if step.cached else f"{step.seconds:.1f} s"
            if self._live.is_started:
                self._live.refresh()  # else the line of the finished component is drawn once more
            self._print(f"  {self._place()} {took:>8}", now)

    def _print(self, line: str, now: float) -> None:
        self._written_at = now
        self._console.print(line, markup=False, soft_wrap=True)

    def _place(self) -> str:
        step = self.steps[-1]
        return f"[{len(self.steps):2}/{self._total}] {step.id:<{self._width}} "

    def _status(self) -> RenderableType:
        """The line that follows the running component."""
        if self.running is None:
            return ""
        now = time.monotonic()
        how_far = self._work.words(now)
        text = Text(f"{self._place()} {now - self._started:6.0f} s  {how_far}", no_wrap=True)
        self._spinner.update(text=text)
        return self._spinner

    def __enter__(self) -> ProgressHandler:
        """Starts listening."""
        logging.getLogger("absl").addHandler(self)
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        """Stops listening."""
        logging.getLogger("absl").removeHandler(self)
        self._live.stop()
