"""Speed and memory of exact search and of retrieval metrics, beside the bare float32 GEMM.

Leave-one-out among rows with classes: every side does its work on the same rows, one after the
other, round by round, and its time is divided by that of the product of all pairs, in NumPy's
float32, of the same round. Peers take part where they are installed (they are no dependencies):

    pip install faiss-cpu pytorch-metric-learning torch

With `--memory`, each of flowersim's sides runs in a process of its own, and what its peak memory
has on top of the rows and TensorFlow's code is reported, its results included; nothing is timed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from retrieval.metrics import retrieval_metrics
from retrieval.search import top_k

TOP = 100
FIRST_RANKS = (
    "recall_at_1",
    "recall_at_5",
    "recall_at_10",
    "map_at_r",
    "r_precision",
    "mean_reciprocal_rank",
)
GEMM_ROWS = 2048


def make_rows(rows: int, dim: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows in classes that overlap: recall@1 is about 0.9 at the default sizes."""
    rng = np.random.default_rng(0)
    labels = np.arange(rows) % classes
    embeddings = rng.normal(size=(classes, dim)).astype(np.float32)[labels]
    for start in range(0, rows, GEMM_ROWS):
        part = embeddings[start : start + GEMM_ROWS]
        part += 2.2 * rng.normal(size=part.shape)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return embeddings, labels


def gemm(embeddings: np.ndarray, labels: np.ndarray) -> None:
    """The product of all pairs, some queries at a time."""
    scores = np.empty((GEMM_ROWS, len(embeddings)), np.float32)
    for start in range(0, len(embeddings), GEMM_ROWS):
        part = embeddings[start : start + GEMM_ROWS]
        np.matmul(part, embeddings.T, out=scores[: len(part)])


def search_with(screen: Any) -> Callable[[np.ndarray, np.ndarray], Any]:
    """Top 100 by flowersim with that screen."""

    def search(embeddings: np.ndarray, labels: np.ndarray) -> Any:
        ids = np.arange(len(labels))
        return top_k(embeddings, embeddings, TOP, query_ids=ids, gallery_ids=ids, screen=screen)

    return search


def first_ranks(embeddings: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The metrics of the first ranks, and the reciprocal rank without limit."""
    return retrieval_metrics(embeddings, labels, names=FIRST_RANKS)


def all_metrics(embeddings: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """All metrics, mean average precision among them."""
    return retrieval_metrics(embeddings, labels)


def faiss_search(embeddings: np.ndarray, labels: np.ndarray) -> Any:
    """Top 101, the query itself among them, by faiss's exact index."""
    import faiss

    index = faiss.IndexFlatIP(embeddings.shape[1])
    index.add(embeddings)
    return index.search(embeddings, TOP + 1)


def metric_learning(embeddings: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """recall@1, R-precision and MAP@R by pytorch-metric-learning, its lists as long as needed."""
    import torch
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

    calculator = AccuracyCalculator(
        include=("precision_at_1", "r_precision", "mean_average_precision_at_r"),
        k="max_bin_count",
        device=torch.device("cpu"),
    )
    return calculator.get_accuracy(torch.from_numpy(embeddings), torch.from_numpy(labels))


OWN: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    "top 100": search_with("auto"),
    "top 100, float32": search_with("float32"),
    "recall@1,5,10, MAP@R, R-precision, MRR": first_ranks,
    "all metrics": all_metrics,
}
PEERS: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray], Any]]] = {
    "faiss top 101": ("faiss", faiss_search),
    "PML recall@1, MAP@R, R-precision": ("pytorch_metric_learning", metric_learning),
}


def time_sides(options: argparse.Namespace) -> dict[str, Any]:
    """Ratios of the sides' times to the GEMM's, a median over the rounds."""
    # Search looks for it before it takes the time of an import.
    with contextlib.suppress(ImportError):
        import tensorflow  # noqa: F401
    sides = dict(OWN)
    for name, (module, side) in PEERS.items():
        with contextlib.suppress(ImportError):
            __import__(module)
            sides[name] = side
    sides = {name: side for name, side in sides.items() if not set(options.skip) & {name}}
    embeddings, labels = make_rows(options.rows, options.dim, options.classes)
    few = embeddings[:GEMM_ROWS], labels[:GEMM_ROWS]
    ratios: dict[str, list[float]] = {name: [] for name in sides}
    products = []
    for side in sides.values():
        side(*few)
    for _ in range(options.rounds):
        for name, side in sides.items():
            products.append(_seconds(gemm, embeddings, labels))
            ratios[name].append(_seconds(side, embeddings, labels) / products[-1])
            print(f"{name}: {ratios[name][-1]:.2f}", file=sys.stderr, flush=True)
    return {
        "gemm_seconds": round(statistics.median(products), 2),
        **{name: round(statistics.median(found), 2) for name, found in ratios.items()},
    }


def _seconds(side: Callable[[np.ndarray, np.ndarray], Any], *arguments: Any) -> float:
    started = time.perf_counter()
    side(*arguments)
    return time.perf_counter() - started


def measure_memory(options: argparse.Namespace) -> dict[str, Any]:
    """Peak memory of each of flowersim's sides beyond the rows, in megabytes."""
    sizes = (options.rows, options.dim, options.classes)
    found = {}
    for name in OWN:
        if name not in options.skip:
            command = [sys.executable, __file__, "--memory-of", name]
            for option, size in zip(("--rows", "--dim", "--classes"), sizes, strict=True):
                command += [option, str(size)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found[name] = float(output)
            print(f"{name}: {found[name]:.0f} MB", file=sys.stderr, flush=True)
    return found


def _print_memory_of(name: str, options: argparse.Namespace) -> None:
    # Large searches import it, and it is not what they need memory for.
    with contextlib.suppress(ImportError):
        import tensorflow  # noqa: F401
    embeddings, labels = make_rows(options.rows, options.dim, options.classes)
    OWN[name](embeddings[:GEMM_ROWS], labels[:GEMM_ROWS])
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")  # starts the peak anew
    before = _status("VmRSS")
    OWN[name](embeddings, labels)
    print(round((_status("VmHWM") - before) / 1e3))


def _status(key: str) -> int:
    """A value of this process, in kB."""
    with open("/proc/self/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith(key)).split()[1])


def main() -> None:
    """Parses the command line and prints a line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=50_000, help="(%(default)s)")
    parser.add_argument("--dim", type=int, default=128, help="(%(default)s)")
    parser.add_argument("--classes", type=int, default=500, help="of equal size (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    parser.add_argument(
        "--skip", nargs="+", default=[], choices=[*OWN, *PEERS], help="sides to leave out"
    )
    parser.add_argument("--memory", action="store_true", help="measure memory, not time")
    parser.add_argument("--memory-of", choices=list(OWN), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        _print_memory_of(options.memory_of, options)
        return
    measured = measure_memory(options) if options.memory else time_sides(options)
    about = {key: getattr(options, key) for key in ("rows", "dim", "classes")}
    print(json.dumps({**about, "cores": os.cpu_count(), **measured}))


if __name__ == "__main__":
    main()
