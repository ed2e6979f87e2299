"""Are the scores of one set lower than those of another? Two distances between distributions.

Not for vectors (`energy_distance.py`).
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt


@dataclasses.dataclass(frozen=True)
class ScoreShift:
    """What was found.

    Attributes:
        drop: D⁺ = max over t of (share of scores ≤ t) − (share of base scores ≤ t), 0 to 1: by how
            much more of the scores lie below some threshold, for the threshold where it is most.
        p_value: Of as large a drop, if both had one distribution.
        distance: Wasserstein's first distance, in units of the scores: how far scores must be moved
            on average to turn one set into the other, down or up.
    """

    drop: float
    p_value: float
    distance: float


def score_shift(scores: npt.ArrayLike, base: npt.ArrayLike) -> ScoreShift:
    """Compares two sets of scores.

    The test is the one-sided two-sample test of Kolmogorov and Smirnov, which asks about lower
    scores only; its p-value is the approximation of Hodges, "The significance probability of the
    Smirnov two-sample test", Arkiv för Matematik 3, 1958, formula 5.3. Where scores are tied it is
    too large rather than too small.

    Args:
        scores: Finite numbers, [N], N ≥ 1.
        base: What they are compared with, [M], M ≥ 1.

    Raises:
        ValueError: Not vectors, empty, NaN or infinity.

    >>> shift = score_shift([0.1, 0.2, 0.3, 0.8], [0.6, 0.7, 0.8, 0.9])
    >>> shift.drop, round(shift.p_value, 3), round(shift.distance, 3)
    (0.75, 0.05, 0.4)
    >>> score_shift([0.6, 0.7, 0.8, 0.9], [0.1, 0.2, 0.3, 0.8]).drop
    0.0
    """
    one, other = _sorted("scores", scores), _sorted("base", base)
    places = np.sort(np.concatenate([one, other]))
    below = np.searchsorted(one, places, side="right") / len(one)
    base_below = np.searchsorted(other, places, side="right") / len(other)
    drop = max(0.0, float((below - base_below).max()))
    return ScoreShift(
        drop=drop,
        p_value=_hodges(drop, len(one), len(other)),
        distance=float((np.abs(below - base_below)[:-1] * np.diff(places)).sum()),
    )


def _hodges(drop: float, count: int, base_count: int) -> float:
    larger, smaller = max(count, base_count), min(count, base_count)
    product, total = larger * smaller, larger + smaller
    z = math.sqrt(product / total) * drop
    correction = 2 * z * (larger + 2 * smaller) / (3 * math.sqrt(product * total))
    return min(1.0, math.exp(-2 * z * z - correction))


def _sorted(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name} must be a vector with one number or more, got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return np.sort(array)
