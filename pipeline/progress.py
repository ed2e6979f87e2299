"""Follows a local run by what TFX logs: which component runs, how long it took, if it was cached.

LocalDagRunner has no hooks; the lines it logs at each component's start and end are the interface.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import time
from typing import Any

from rich.console import Console

_START = re.compile(r"^Component (\S+) is running\.$")
_END = re.compile(r"^Component (\S+) is finished\.$")
_CACHED = re.compile(r"^A cached execution \S+ is used\.$")
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

    Attributes:
        steps: What ran so far, in order.
    """

    def __init__(self, console: Console, component_ids: list[str]) -> None:
        """Watches a run of these components and writes to `console`."""
        super().__init__(logging.INFO)
        self.steps: list[Step] = []
        self._console = console
        self._total = len(component_ids)
        self._width = max((len(name) for name in component_ids), default=0)
        self._started = 0.0

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
        elif _CACHED.match(message) and self.running:
            self.running.cached = True
        elif match := _EPOCH.match(message):
            self._console.print(f"          epoch {match[1]}  {_shorten(match[2])}", soft_wrap=True)
        elif _END.match(message) and (step := self.running):
            step.seconds = time.monotonic() - self._started
            took = "cached" if step.cached else f"{step.seconds:.1f} s"
            place = f"[{len(self.steps):2}/{self._total}]"
            self._console.print(f"  {place} {step.id:<{self._width}}  {took:>8}", markup=False)

    def __enter__(self) -> ProgressHandler:
        """Starts listening."""
        logging.getLogger("absl").addHandler(self)
        return self

    def __exit__(self, *exception: Any) -> None:
        """Stops listening."""
        logging.getLogger("absl").removeHandler(self)
