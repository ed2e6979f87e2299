"""Work on blocks in several threads; NumPy and TensorFlow let others run while they compute."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import threadpoolctl

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[Result]:
    """The result for each item, in their order; no more of them wait than there are threads.

    Args:
        work: What is done with an item; BLAS uses one thread for it.
        items: What is worked on.
        threads: How many at a time, at least 1.

    >>> list(in_threads(lambda number: number * number, range(4), threads=2))
    [0, 1, 4, 9]
    """
    # Products of several blocks at a time use the cores better than those of one by all of them.
    with (
        threadpoolctl.threadpool_limits(1 if threads > 1 else None, "blas"),
        ThreadPoolExecutor(threads) as pool,
    ):
        waiting: list[Future[Result]] = []
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()
