"""Keeps two runs out of one workdir, where each would take the other's half-written results."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import pathlib
from collections.abc import Iterator

FILE = ".lock"


class WorkdirBusyError(RuntimeError):
    """Another process works in the workdir; the message says which, and since when."""


@contextlib.contextmanager
def locked(workdir: pathlib.Path) -> Iterator[None]:
    """Holds the workdir for this process; however the process ends, the lock ends with it.

    Args:
        workdir: An existing folder.

    Raises:
        WorkdirBusyError: Another process holds it.
    """
    with open(workdir / FILE, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise WorkdirBusyError(
                f"{workdir} is in use by {file.read().strip() or 'another process'}; wait for it "
                "to finish, or give this run a folder of its own with --workdir"
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()}, since {datetime.datetime.now():%Y-%m-%d %H:%M:%S}\n")
        file.flush()
        yield
