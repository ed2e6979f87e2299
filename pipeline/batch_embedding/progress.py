"""Shows on a terminal how many photos are done, by what the workers of this process log."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator

from absl import logging as absl_logging
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

# As `trainer_module.progress_log.ImageCounter` writes it.
_IMAGES = re.compile(r"^Progress: (\d+) more images\.$")


@contextlib.contextmanager
def counted(console: Console) -> Iterator[None]:
    """Counts photos while they are embedded; off a terminal, and on other machines, nothing."""
    if not console.is_terminal:
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} photos"), TimeElapsedColumn())
    logger = absl_logging.get_absl_logger()
    level = logger.level
    with Progress(*columns, console=console, transient=True) as progress:
        handler = _Counter(progress)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)


class _Counter(logging.Handler):
    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.INFO)
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def emit(self, record: logging.LogRecord) -> None:
        if match := _IMAGES.match(record.getMessage()):
            self._progress.advance(self._task, int(match[1]))
