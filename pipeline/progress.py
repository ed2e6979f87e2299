"""Follows a local run by what TFX logs: which component runs, how long it took, if it was cached.

LocalDagRunner has no hooks; the lines it logs at each component's start and end are the interface.
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

_START = re.compile(r"^Component (\S+) is running\.$")
_END = re.compile(r"^Component (\S+) is finished\.$")
_CACHED = re.compile(r"^A cached execution \S+ is used\.$")
_STEP = re.compile(r"^Progress: epoch (\d+/\d+) step (\d+/\d+)\.$")
_IMAGES = re.compile(r"^Progress: (\d+) more images\.$")
_OTHER = re.compile(r"^Progress: (tracing .*)\.$")
_EPOCH = re.compile(r"^Epoch (\d+/\d+)  (.*)$")
# Of what is logged at the end of an epoch, what a person wants to follow.
_SHOWN = ("loss", "accuracy", "val_recall_at_1", "val_map_at_r")


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

    On a terminal, a last line follows the running component; elsewhere only finished components
    and epochs are written.

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
        self._done = 0
        self._first_report = (0.0, 0)
        self._detail = ""
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
        message = record.getMessage()
        if match := _START.match(message):
            self.steps.append(Step(match[1]))
            self._started = time.monotonic()
            self._done, self._detail = 0, ""
        elif _CACHED.match(message) and self.running:
            self.running.cached = True
        elif match := _STEP.match(message):
            self._detail = f"epoch {match[1]}  step {match[2]}"
        elif match := _OTHER.match(message):
            self._detail = match[1]
        elif match := _IMAGES.match(message):
            self._count(int(match[1]))
        elif match := _EPOCH.match(message):
            self._console.print(f"          epoch {match[1]}  {_shorten(match[2])}", soft_wrap=True)
        elif _END.match(message) and (step := self.running):
            step.seconds = time.monotonic() - self._started
            took = "cached" if step.cached else f"{step.seconds:.1f} s"
            if self._live.is_started:
                self._live.refresh()  # else the line of the finished component is drawn once more
            self._console.print(f"  {self._place()} {took:>8}", markup=False)

    def _count(self, images: int) -> None:
        """Adds to the running component's images; speed counts from the first report on."""
        now = time.monotonic()
        if not self._done:
            self._first_report = (now, images)
        self._done += images
        total = self._images.get(self.running.id if self.running else "")
        self._detail = f"{self._done} images" if total is None else f"{self._done}/{total} images"
        begun, images_then = self._first_report
        if self._done > images_then and now > begun:
            rate = (self._done - images_then) / (now - begun)
            self._detail += f"  {rate:.0f} images/s"
            if total is not None and total > self._done:
                self._detail += f"  {(total - self._done) / rate:.0f} s left"

    def _place(self) -> str:
        step = self.steps[-1]
        return f"[{len(self.steps):2}/{self._total}] {step.id:<{self._width}} "

    def _status(self) -> RenderableType:
        """The line that follows the running component."""
        if self.running is None:
            return ""
        seconds = time.monotonic() - self._started
        text = Text(f"{self._place()} {seconds:6.0f} s  {self._detail}", no_wrap=True)
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
