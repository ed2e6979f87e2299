"""File descriptor 2, to which libraries write past Python's `sys.stderr`: silenced, and kept."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Loses what this process, whichever thread of it, writes to the descriptor meanwhile."""
    try:
        kept = os.dup(2)
    except OSError:  # there is none: whoever started the process has closed it
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def own_stderr() -> TextIO:
    """Returns a stream to where stderr goes now, also while the descriptor is silenced."""
    try:
        descriptor = os.dup(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError):  # stderr is no file, as under a test runner
        return sys.stderr
    return os.fdopen(descriptor, "w", buffering=1, errors="backslashreplace")
