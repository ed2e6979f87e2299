"""How long one waits for what is done every day, and for what part of a first run.

Prints one JSON line: seconds of `flowersim --help` and of a `make setup` with nothing to do
(medians of five), of a first run of the demo, its drawn data included, and of the same command
twice more; then the ratios of these two to the first. The second run has a blessed baseline that
the first had not, so it evaluates anew; from the third on everything is cached. Each is
a process of its own.

    python benchmarks/everyday.py
"""

from __future__ import annotations

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHORT_ROUNDS = 5


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default="demo", help="what is run (default: %(default)s)")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", help="a setting of the runs"
    )
    options = parser.parse_args()
    program = shutil.which("flowersim", path=str(pathlib.Path(sys.executable).parent))
    flowersim = program or "flowersim"
    found = {
        "help": _median([flowersim, "--help"]),
        "setup_again": _median(["make", "setup"]),
    }
    chosen = [word for setting in options.overrides for word in ("--set", setting)]
    with tempfile.TemporaryDirectory() as workdir:
        command = [flowersim, "run", "--preset", options.preset, "--workdir", workdir, *chosen]
        for name in ("first_run", "second_run", "cached_run"):
            found[name] = _seconds(command)
            print(f"{name}: {found[name]:.0f} s", file=sys.stderr, flush=True)
    ratios = {
        f"{name}_over_first": round(found[name] / found["first_run"], 3)
        for name in ("second_run", "cached_run")
    }
    rounded = {name: round(seconds, 2) for name, seconds in found.items()}
    print(json.dumps({"benchmark": "everyday", **rounded, **ratios}))


def _median(command: Sequence[str]) -> float:
    return statistics.median(_seconds(command) for _ in range(SHORT_ROUNDS))


def _seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
