"""What executing the compiled demo costs beside running it with LocalDagRunner.

Prints one JSON line: seconds of `flowersim run`, and the ratios to it of `flowersim execute` in its
fast mode, the same with one task at a time, and in its exact mode. Each is a process of its own, on
prepared data and with nothing in its cache; medians of the rounds, turn about.

    PYTHONPATH=. python benchmarks/execution.py
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

SIDES = {
    "fast": ["--mode", "fast"],
    "fast_one_job": ["--mode", "fast", "--jobs", "1"],
    "exact": ["--mode", "exact"],
}


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=1, help="turns of each side (%(default)s)")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in ("local", *options.sides)}
    for number in range(options.rounds):
        for name in list(seconds)[:: 1 if number % 2 == 0 else -1]:
            with tempfile.TemporaryDirectory() as folder:
                seconds[name].append(_measure(name, pathlib.Path(folder)))
            print(f"{name}: {seconds[name][-1]:.0f} s", file=sys.stderr, flush=True)
    local = statistics.median(seconds["local"])
    ratios = {name: round(statistics.median(seconds[name]) / local, 3) for name in options.sides}
    print(json.dumps({"benchmark": "execution", "local_seconds": round(local, 1), **ratios}))


def _measure(name: str, folder: pathlib.Path) -> float:
    """Seconds of one run from nothing but prepared data."""
    workdir = ["--workdir", str(folder / "workdir")]
    root = ["--set", f"deployment.pipeline_root={folder / 'root'}"]
    if name == "local":
        _flowersim("prepare", *workdir)
        return _flowersim("run", *workdir)
    _flowersim("prepare", "--stage", *workdir, *root)
    spec = str(folder / "spec.json")
    image = ["--set", "deployment.image=flowersim"]
    _flowersim("compile", *workdir, *root, *image, "--output", spec)
    return _flowersim("execute", spec, "--store", str(folder / "store"), *SIDES[name])


def _flowersim(*arguments: str) -> float:
    """Runs the command, and returns the seconds that it took."""
    program = shutil.which("flowersim", path=str(pathlib.Path(sys.executable).parent))
    started = time.perf_counter()
    done = subprocess.run(
        [program or "flowersim", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"flowersim {' '.join(arguments)} failed:\n{done.stderr}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
