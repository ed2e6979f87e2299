"""What is said of a run that failed: which component, why, and what to do.

Not for what becomes of the failure: `local_runner.py` raises it, `summary.py` puts it on record.
"""

from __future__ import annotations

import contextlib
import logging
import pathlib
from collections.abc import Iterator

from rich.console import Console

from pipeline.disk_space import free_space, is_full, what_happened
from pipeline.run_folder import RunFolder

# TensorFlow's messages may hold a whole graph.
_MESSAGE_LINES = 15


class RunFailedError(RuntimeError):
    """A component that failed; the message names it, the cause, and the log."""


def explain(
    component: str,
    cause: Exception,
    log: pathlib.Path,
    workdir: pathlib.Path,
    *,
    first: str | None = None,
    cached: bool = True,
) -> str:
    """Says what failed and why, where more is written, and what to do.

    Args:
        component: Id of what failed.
        cause: What it raised.
        log: The log file.
        workdir: Where the run's results go.
        first: The component that the run was to start with, if not the first of all.
        cached: Whether another run takes over what this one has finished.
    """
    if first and isinstance(cause, LookupError):
        return (
            f"--from {first} needs the results of the components before it, and the latest run in "
            f"this workdir has not got them all ({cause}): run without --from\nfull log  {log}"
        )
    lines = _reason(cause, workdir).splitlines()
    if len(lines) > _MESSAGE_LINES:
        lines[_MESSAGE_LINES:] = [f"... ({len(lines) - _MESSAGE_LINES} more lines in the log)"]
    failed = f"{component} failed: " + "\n".join(lines) + f"\nfull log  {log}"
    if not cached:
        return failed
    return (
        f"{failed}\nthe same command goes on from here: components that have finished are not "
        "repeated"
    )


def in_a_line(component: str, cause: Exception, workdir: pathlib.Path) -> str:
    """Says what failed and why, for the summary."""
    return f"{component} failed: {_reason(cause, workdir).splitlines()[0]}"


def _reason(cause: Exception, workdir: pathlib.Path) -> str:
    if is_full(cause):
        free = free_space(workdir)
        return f"no space is left for what it writes: {free}; make space ({what_happened(cause)})"
    return str(cause).strip() or type(cause).__name__


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextlib.contextmanager
def on_record(status: str, folder: RunFolder, console: Console) -> Iterator[None]:
    """Keeps the failure of a run from being hidden by that of putting it on record.

    Args:
        status: Of the run.
        folder: Where it is put on record.
        console: What the user sees.
    """
    try:
        yield
    except Exception as error:
        if status == "succeeded":
            raise
        logging.getLogger(__name__).exception("the run could not be put on record")
        written = (folder.path / "summary.json").exists()
        console.print(
            (
                f"the summary of this run in {folder.path} is not complete"
                if written
                else f"no summary of this run could be written in {folder.path}"
            )
            + f" ({_line(error)}); "
            f"{folder.workdir / 'summary.json'}, if there is one, is that of an earlier run",
            soft_wrap=True,
            markup=False,
        )
