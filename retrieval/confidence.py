"""Means of per-query values, and how far chance could have moved them.

Not for the values themselves (`metrics.py`). NaN, the value of a query without a relevant item, is
left out everywhere.

Intervals are percentile bootstrap intervals (Efron and Tibshirani, "An Introduction to the
Bootstrap", 1993, chapter 13): queries are drawn with replacement, as many as there are, and the
mean is taken again and again. They say what other queries of the same kind would have given. They
do not say what another gallery or another training would have given, and where several photos show
one plant, queries are less independent than the bootstrap takes them to be.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_DRAWN_AT_ONCE = 4_000_000


class Interval(NamedTuple):
    """A mean, and between which bounds it lies.

    Attributes:
        mean: Of the values themselves.
        low: Lower bound.
        high: Upper bound.
    """

    mean: float
    low: float
    high: float


def class_balanced_mean(values: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Mean over classes of the mean over each class's queries (the macro average).

    Every class counts the same, however many queries it has. A class whose queries all have no
    value is left out.

    Args:
        values: Per-query values, [Q]; NaN for none.
        labels: Labels of the queries, [Q].

    Returns:
        The mean; NaN without any value.

    Raises:
        ValueError: The shapes differ.

    >>> class_balanced_mean([1.0, 1.0, 1.0, 0.0, float("nan")], ["a", "a", "a", "b", "c"])
    0.5
    """
    array, codes = np.asarray(values, np.float64), np.asarray(labels)
    if array.ndim != 1 or array.shape != codes.shape:
        raise ValueError(
            f"values and labels must have one length, got {array.shape}, {codes.shape}"
        )
    kept = ~np.isnan(array)
    if not kept.any():
        return float("nan")
    _, inverse = np.unique(codes[kept], return_inverse=True)
    return float((np.bincount(inverse, weights=array[kept]) / np.bincount(inverse)).mean())


def bootstrap_mean(
    values: npt.ArrayLike, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """The mean of per-query values with its bootstrap interval.

    Args:
        values: [Q]; NaN for queries without a value.
        confidence: Share of the resampled means within the interval, 0 < confidence < 1.
        resamples: How often queries are drawn.
        seed: Of the draws.

    Returns:
        Mean and bounds; NaN without any value.

    Raises:
        ValueError: Not a vector, or an option out of range.

    >>> mean, low, high = bootstrap_mean([1.0] * 80 + [0.0] * 20)
    >>> mean, round(low, 2), round(high, 2)  # about 0.8 ± 1.96 · 0.04
    (0.8, 0.72, 0.88)
    """
    if not 0.0 < confidence < 1.0 or resamples < 1:
        raise ValueError(
            f"confidence must be in (0, 1) and resamples at least 1, got {confidence}, {resamples}"
        )
    array = np.asarray(values, np.float64)
    if array.ndim != 1:
        raise ValueError(f"values must be a vector, got shape {array.shape}")
    array = array[~np.isnan(array)]
    if not array.size:
        return Interval(float("nan"), float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    at_once = max(1, _DRAWN_AT_ONCE // array.size)
    means = np.concatenate(
        [
            array[rng.integers(0, array.size, (min(at_once, resamples - start), array.size))].mean(
                axis=1
            )
            for start in range(0, resamples, at_once)
        ]
    )
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return Interval(float(array.mean()), float(low), float(high))


def paired_bootstrap(
    candidate: npt.ArrayLike,
    baseline: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """The mean difference of two models on the same queries, with its bootstrap interval.

    Queries are drawn together with both their values: what makes a query hard for both models
    cancels, so the interval is far shorter than one of two separate means. An interval that does
    not hold 0 is a difference that other queries of the same kind would show too.

    Args:
        candidate: Values of one model, [Q].
        baseline: Values of the other for the same queries in the same order, [Q].
        confidence: See `bootstrap_mean`.
        resamples: Likewise.
        seed: Likewise.

    Returns:
        Mean of candidate − baseline and bounds, over the queries that have both values.

    Raises:
        ValueError: The shapes differ, and what `bootstrap_mean` raises.

    >>> paired_bootstrap([1.0, 0.5, 0.25], [0.5, 0.0, -0.25])
    Interval(mean=0.5, low=0.5, high=0.5)
    """
    one, other = np.asarray(candidate, np.float64), np.asarray(baseline, np.float64)
    if one.shape != other.shape:
        raise ValueError(f"the models' values must have one shape, got {one.shape}, {other.shape}")
    return bootstrap_mean(one - other, confidence=confidence, resamples=resamples, seed=seed)
