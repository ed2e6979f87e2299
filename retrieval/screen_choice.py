"""Which screen makes a search fastest on this machine."""

from __future__ import annotations

import functools
import sys
import time
from typing import Literal

import numpy as np

from retrieval.screen import Bfloat16Screen, Float32Screen, Ints
from retrieval.similarity import Floats, Similarity

ScreenName = Literal["auto", "float32", "bfloat16"]

# Multiplications from which on measuring pays, and from which on importing TensorFlow does too.
_MANY, _VERY_MANY = 3e10, 1e12
# What is measured: queries by gallery rows, so many times, the fastest of which counts.
_SAMPLE_QUERIES, _SAMPLE_ROWS, _REPEATS = 512, 8192, 3


def choose_screen(
    name: ScreenName,
    queries: Floats,
    gallery: Floats,
    metric: Similarity,
    block_rows: int,
    order: Ints | None = None,
) -> Float32Screen:
    """Makes the screen of that name, or the faster one.

    Small searches are not worth a measurement, nor, in a process without TensorFlow, its import.

    Args:
        name: "auto" to choose.
        queries: Of `similarity.comparable_rows`, [Q, D].
        gallery: Likewise, [N, D].
        metric: That of the rows.
        block_rows: See `Float32Screen`.
        order: Likewise.

    Raises:
        ValueError: The name is unknown.

    >>> rows = np.eye(2, dtype=np.float32)
    >>> type(choose_screen("auto", rows, rows, "cosine", block_rows=2)).__name__
    'Float32Screen'
    """
    kinds = {"float32": Float32Screen, "bfloat16": Bfloat16Screen}
    if name not in (*kinds, "auto"):
        raise ValueError(f"screen must be one of auto, {', '.join(kinds)}; got {name!r}")
    if name == "auto":
        work = float(len(queries)) * len(gallery) * queries.shape[1]
        worth_it = work >= (_MANY if "tensorflow" in sys.modules else _VERY_MANY)
        name = "bfloat16" if worth_it and _bfloat16_pays(queries.shape[1]) else "float32"
    return kinds[name](queries, gallery, metric, block_rows, order)


@functools.cache
def _bfloat16_pays(dim: int) -> bool:
    """Whether bfloat16 takes at most half the CPU time here, and is as precise as it says."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(_SAMPLE_ROWS, dim)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    queries = rows[:_SAMPLE_QUERIES]
    seconds, values = [], []
    for kind in (Float32Screen, Bfloat16Screen):
        screen = kind(queries, rows, "cosine", _SAMPLE_ROWS)
        own = screen.query_rows(slice(len(queries)))
        # The first time includes what is set up once.
        scores, times = screen.scores(own, 0, None), []
        for _ in range(_REPEATS):
            # Of all threads: a search has work for each of them.
            started = time.process_time()
            scores = screen.scores(own, 0, scores)
            times.append(time.process_time() - started)
        seconds.append(min(times))
        every = np.full(len(queries), -np.inf, np.float32)
        values.append(screen.at_least(scores, every)[2].reshape(len(queries), -1))
    exact, approximate = values
    allowed = screen.error[:, None] + screen.relative * np.abs(approximate)
    precise = bool((np.abs(approximate - exact) <= allowed + 1e-5).all())
    return precise and seconds[1] < 0.5 * seconds[0]
