"""Shares of yes and no, and how far chance could have moved them.

Not for means of other values (`confidence.py`).
"""

from __future__ import annotations

import math
import statistics
from typing import NamedTuple


class Interval(NamedTuple):
    """A value, and between which bounds it lies."""

    value: float
    low: float
    high: float


def wilson(successes: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """A share with its score interval, which stays within 0 and 1 and is right for few trials too.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927:
    the shares s with |s − p| ≤ z √(s (1 − s) / n).

    Args:
        successes: Those that say yes.
        trials: All, at least 1.
        confidence: 0 < confidence < 1.

    Raises:
        ValueError: Not 0 ≤ successes ≤ trials, no trial, or confidence out of range.

    >>> share, low, high = wilson(15, 148)
    >>> round(share, 4), round(low, 4), round(high, 4)
    (0.1014, 0.0624, 0.1605)
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"there must be 0 to n successes in n ≥ 1 trials: {successes} of {trials}")
    z = statistics.NormalDist().inv_cdf((1.0 + confidence) / 2.0)
    share = successes / trials
    middle = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    # At 0 and 1 the formula gives the bound itself, but for rounding.
    low = 0.0 if successes == 0 else (middle - half) / scale
    high = 1.0 if successes == trials else (middle + half) / scale
    return Interval(share, low, high)


def difference(
    successes: int, trials: int, base_successes: int, base_trials: int, *, confidence: float = 0.95
) -> Interval:
    """How much larger one share is than another, of independent trials.

    Newcombe, "Interval estimation for the difference between independent proportions: comparison of
    eleven methods", Statistics in Medicine 17, 1998, method 10: Wilson's intervals of both shares,
    put together by squaring and adding.

    Args:
        successes: Of the share in question.
        trials: Of the same.
        base_successes: Of the share that it is compared with.
        base_trials: Of the same.
        confidence: 0 < confidence < 1.

    Returns:
        Share − base share, and its interval.

    Raises:
        ValueError: What `wilson` raises.

    >>> gap, low, high = difference(56, 70, 48, 80)  # Newcombe's table II, example (a)
    >>> round(gap, 4), round(low, 4), round(high, 4)
    (0.2, 0.0524, 0.3339)
    """
    share = wilson(successes, trials, confidence=confidence)
    base = wilson(base_successes, base_trials, confidence=confidence)
    gap = share.value - base.value
    return Interval(
        gap,
        gap - math.hypot(share.value - share.low, base.high - base.value),
        gap + math.hypot(share.high - share.value, base.value - base.low),
    )
