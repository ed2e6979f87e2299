"""Catches Python code that takes a URL for the name of a local file.

Such code works on a laptop and, in a bucket, makes a folder `gs:` or finds nothing. Sees what
Python itself opens, lists, makes, moves, deletes or looks at; libraries in C++ are not watched.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

_URL = re.compile(r"[a-z][a-z0-9]+:/+[^/]")
_EVENTS = ("open", "os.", "shutil.", "glob.", "tempfile.", "pathlib.")

_caught: list[str] | None = None
_installed = False


class LocalAccessError(AssertionError):
    """A URL was used as a local path."""


@contextlib.contextmanager
def no_local_urls() -> Iterator[None]:
    """Within it, local use of a path that begins as a URL raises, and again at the end."""
    global _caught, _installed
    if not _installed:
        # There is no way to take one away again.
        sys.addaudithook(_hear)
        _installed = True
    caught: list[str] = []
    _caught = caught
    stat = os.stat

    def checked_stat(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        _check("os.stat", path)
        return stat(path, *args, **kwargs)

    try:
        # No audit event tells of this one.
        with mock.patch.object(os, "stat", checked_stat):
            yield
    finally:
        _caught = None
    # Also where somebody has caught the error.
    if caught:
        raise LocalAccessError(", ".join(caught))


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _caught is not None and event.startswith(_EVENTS):
        for argument in arguments:
            _check(event, argument)


def _check(event: str, path: Any) -> None:
    if _caught is None or not isinstance(path, str | bytes | os.PathLike):
        return
    name = os.fsdecode(path)
    if _URL.match(name):
        _caught.append(f"{event} of {name}")
        raise LocalAccessError(f"{event} of {name}")
