"""How long a model takes to answer, one request after the other."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from trainer_module.progress_log import Countdown

_PERCENTILE = 95
# Whatever else the machine does makes it slower, never faster: the best round counts.
_ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class Latency:
    """What was measured.

    Attributes:
        median_ms: Milliseconds from a request to its whole answer.
        p95_ms: Their 95th percentile: the least time within which so many were answered.
        requests: The sample's size.
    """

    median_ms: float
    p95_ms: float
    requests: int

    def is_within(self, limit_ms: float | None) -> bool:
        """Whether the 95th percentile is at most the limit; None is no limit."""
        return limit_ms is None or self.p95_ms <= limit_ms


def measure_latency(ask: Callable[[int], object], requests: int, limit_ms: float | None) -> Latency:
    """Measures with one request at a time, again if it was too slow.

    Args:
        ask: Sends a request, whose number from 0 it is given, and waits for the answer.
        requests: How many.
        limit_ms: From which on it is too slow, in milliseconds; None for no limit. A round in which
            it cannot be kept any more ends there.

    Returns:
        The round with the smallest 95th percentile.
    """
    best = _round(ask, requests, limit_ms)
    for _ in range(_ROUNDS - 1):
        if best.is_within(limit_ms):
            break
        best = min(best, _round(ask, requests, limit_ms), key=lambda latency: latency.p95_ms)
    return best


def _round(ask: Callable[[int], object], requests: int, limit_ms: float | None) -> Latency:
    sample: list[float] = []
    over = 0
    progress = Countdown("timed requests", requests)
    for number in range(requests):
        started = time.perf_counter()
        ask(number)
        sample.append((time.perf_counter() - started) * 1000)
        progress.add()
        over += limit_ms is not None and sample[-1] > limit_ms
        # With so many above it the percentile is, however fast the rest would be.
        if over > requests * (100 - _PERCENTILE) / 100:
            break
    median = np.median(sample)
    p95 = np.percentile(sample, _PERCENTILE, method="inverted_cdf")
    return Latency(round(float(median), 3), round(float(p95), 3), len(sample))
