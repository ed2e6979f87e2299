"""Runs `flowersim run` again and again, each time with so much space left; a script, not a test.

Usage: full_disk_runs.py STEPS, a JSON list of `[folder, bytes to leave or null, arguments]`. After
each run it prints a line of JSON: the exit status, and what a user saw on standard error. Runs are
forked, as each is a process of its own, and TensorFlow and TFX are imported once before.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
import tempfile

from pipeline.cli import main
from tests.small_disk import fill


def run(folder: pathlib.Path, leave: int | None, arguments: list[str]) -> tuple[int, str]:
    """Exit status, and what was on standard error."""
    filling = None if leave is None else fill(folder, leave)
    with tempfile.TemporaryFile() as screen:
        child = os.fork()
        if child == 0:
            os.dup2(screen.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os._exit(main(["run", *arguments]))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        screen.seek(0)
        seen = screen.read().decode()
    if filling:
        filling.unlink()
    return status, seen


if __name__ == "__main__":
    import keras  # noqa: F401
    import tfx.v1  # noqa: F401

    import pipeline.pipeline  # noqa: F401
    import trainer_module.training  # noqa: F401

    for place, leave, arguments in json.loads(sys.argv[1]):
        status, seen = run(pathlib.Path(place), leave, arguments)
        print(json.dumps({"status": status, "seen": seen}), flush=True)
