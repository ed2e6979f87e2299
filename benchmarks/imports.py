"""How long importing the pipeline takes, with what `pipeline/tfx_import.py` postpones and without.

Prints one JSON line: medians of both sides in seconds, and their ratio. Each import is a process of
its own; the sides take turns.

    python benchmarks/imports.py
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
CODE = """
import sys, time
start = time.perf_counter()
if sys.argv[1] == "postponed":
    from pipeline.tfx_import import import_tfx_swiftly
    import_tfx_swiftly()
import pipeline.pipeline
print(time.perf_counter() - start)
"""


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {"whole": [], "postponed": []}
    for _ in range(options.rounds):
        for side, measured in seconds.items():
            measured.append(_import(side))
    medians = {side: statistics.median(measured) for side, measured in seconds.items()}
    result = {side: round(value, 2) for side, value in medians.items()}
    ratio = round(medians["postponed"] / medians["whole"], 3)
    print(json.dumps({"benchmark": "imports", **result, "ratio": ratio}))


def _import(side: str) -> float:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE, side],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(result.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
