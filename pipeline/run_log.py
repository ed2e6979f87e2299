"""Sends everything that libraries print during a run to a log file, and keeps the terminal ours.

TensorFlow, Beam and TFX write to the file descriptors themselves, from C++ too, so these are what
is redirected. What the user sees goes through the console that `run_log` hands out.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import sys
import warnings
from collections.abc import Iterator

from rich.console import Console

from pipeline.terminal import terminal


@contextlib.contextmanager
def run_log(path: str | os.PathLike[str], *, verbose: bool = False) -> Iterator[Console]:
    """Redirects standard output and error to a file while the context is open.

    Args:
        path: The log file; its folder is made, and an existing file is written on.
        verbose: Print everything to the terminal too, in place of the file.

    Yields:
        A console on what standard error was before.
    """
    if verbose:
        with _info_level():
            yield terminal(stderr=True)
        return
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(descriptor, os.dup(descriptor)) for descriptor in (1, 2)]
    with open(path, "a", encoding="utf-8") as file, open(os.dup(2), "w") as screen:
        try:
            for descriptor, _ in kept:
                os.dup2(file.fileno(), descriptor)
            with _info_level():
                yield terminal(file=screen)
        finally:
            _flush()
            for descriptor, original in kept:
                os.dup2(original, descriptor)
                os.close(original)


def _flush() -> None:
    """Writes what is left to the file; on a full disk it goes nowhere, least of all to a user."""
    for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), descriptor)
            stream.flush()


@contextlib.contextmanager
def _info_level() -> Iterator[None]:
    """Has absl, through which TFX reports its progress, log at level INFO."""
    from absl import logging as absl_logging

    before = absl_logging.get_verbosity()
    absl_logging.set_verbosity(absl_logging.INFO)
    absl_logging.use_absl_handler()
    try:
        with warnings.catch_warnings():
            # One each, as most come once for every batch.
            warnings.simplefilter("once")
            yield
    finally:
        absl_logging.set_verbosity(before)
        logging.getLogger().removeHandler(absl_logging.get_absl_handler())
