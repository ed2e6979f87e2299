"""Work on blocks in several threads; NumPy and TensorFlow let others run while they compute."""

from __future__ import annotations

import contextlib
import os
import threading
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


class _OneBlasThread:
    """BLAS uses one thread in the whole process while anyone is within."""

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._limits = threadpoolctl.threadpool_limits(1, "blas")
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._limits.restore_original_limits()


_ONE_BLAS_THREAD = _OneBlasThread()


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
        _ONE_BLAS_THREAD if threads > 1 else contextlib.nullcontext(),
        ThreadPoolExecutor(threads) as pool,
    ):
        waiting: list[Future[Result]] = []
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()
