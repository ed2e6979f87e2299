"""Runs `flowersim run` again and again, each time with so much space left; a script, not a test.

Usage: full_disk_runs.py STEPS, a JSON list of `[folder, bytes to leave or null, arguments]`. After
each run it prints a line of JSON: the exit status, and what a user saw on standard error. In one
process, so that TensorFlow and TFX are imported once.
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
    kept = os.dup(2)
    with tempfile.TemporaryFile() as screen:
        os.dup2(screen.fileno(), 2)
        try:
            status = main(["run", *arguments])
        finally:
            os.dup2(kept, 2)
        screen.seek(0)
        seen = screen.read().decode()
    if filling:
        filling.unlink()
    return status, seen


if __name__ == "__main__":
    steps = json.loads(sys.argv[1])
    # The runs' own words on standard output are not what is asked for.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for place, leave, arguments in steps:
        status, seen = run(pathlib.Path(place), leave, arguments)
        print(json.dumps({"status": status, "seen": seen}), file=answers, flush=True)
