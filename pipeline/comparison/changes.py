"""By how much metrics and classes changed between two runs, on the same queries.

Pure numbers, from per-query values. Which queries changed is in `query_changes.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from retrieval.confidence import Interval, paired_bootstrap

CONFIDENCE = 0.95
RESAMPLES = 2000
# A bootstrap of fewer values is far too sure of itself.
FEWEST_FOR_INTERVAL = 5

HIT, ORDER = "recall_at_1", "map_at_r"


@dataclasses.dataclass(frozen=True)
class Discordance:
    """In which run the nearest neighbour is right, counted over queries.

    Attributes:
        both: Right in both runs.
        only_reference: Right in the reference alone.
        only_other: Right in the other run alone.
        neither: Wrong in both.
        p_value: Of McNemar's exact test: the chance that the queries right in one run alone would
            be divided between the runs at least as unevenly by tossing a coin.
    """

    both: int
    only_reference: int
    only_other: int
    neither: int
    p_value: float


@dataclasses.dataclass(frozen=True)
class ClassChange:
    """A class in both runs.

    Attributes:
        name: The class.
        queries: How many of its images are common queries.
        reference: Means over them in the reference, by metric.
        other: Means in the other run.
        change: Other − reference, by metric; bounds NaN for fewer queries than an interval needs.
    """

    name: str
    queries: int
    reference: Mapping[str, float]
    other: Mapping[str, float]
    change: Mapping[str, Interval]


def metric_changes(
    reference: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], *, seed: int = 0
) -> dict[str, Interval]:
    """The mean change of each metric that both runs have, with its paired bootstrap interval.

    Args:
        reference: Values by metric, each [Q].
        other: The other run's, of the same queries in the same order.
        seed: Of the draws.

    Returns:
        Other − reference by metric, in the order of `reference`.
    """
    return {
        name: _paired(other[name], values, seed)
        for name, values in reference.items()
        if name in other
    }


def discordance(reference: np.ndarray, other: np.ndarray) -> Discordance:
    """Counts in which run queries find their class first.

    McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12, 1947, with the exact binomial distribution.

    Args:
        reference: recall@1 of each query, 0 or 1, [Q].
        other: The other run's.

    >>> discordance(np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 0.0, 1.0, 1.0]))
    Discordance(both=1, only_reference=1, only_other=2, neither=0, p_value=1.0)
    """
    from scipy.stats import binomtest

    was, is_now = reference > 0, other > 0
    lost, won = int((was & ~is_now).sum()), int((~was & is_now).sum())
    p_value = float(binomtest(won, won + lost).pvalue) if won + lost else 1.0
    return Discordance(
        both=int((was & is_now).sum()),
        only_reference=lost,
        only_other=won,
        neither=int((~was & ~is_now).sum()),
        p_value=p_value,
    )


def class_changes(
    class_names: np.ndarray,
    reference: Mapping[str, np.ndarray],
    other: Mapping[str, np.ndarray],
    *,
    seed: int = 0,
) -> list[ClassChange]:
    """Recall@1 and MAP@R of each class in both runs; those that changed most in MAP@R first.

    Args:
        class_names: Of the queries, [Q].
        reference: Values by metric, each [Q].
        other: The other run's.
        seed: Of the draws.
    """
    found = []
    for name in np.unique(class_names):
        own = class_names == name
        found.append(
            ClassChange(
                name=str(name),
                queries=int(own.sum()),
                reference={metric: float(reference[metric][own].mean()) for metric in (HIT, ORDER)},
                other={metric: float(other[metric][own].mean()) for metric in (HIT, ORDER)},
                change={
                    metric: _paired(other[metric][own], reference[metric][own], seed)
                    for metric in (HIT, ORDER)
                },
            )
        )
    return sorted(found, key=lambda change: (-abs(change.change[ORDER].mean), change.name))


def _paired(other: np.ndarray, reference: np.ndarray, seed: int) -> Interval:
    change = paired_bootstrap(
        other, reference, confidence=CONFIDENCE, resamples=RESAMPLES, seed=seed
    )
    if len(other) < FEWEST_FOR_INTERVAL:
        return Interval(change.mean, float("nan"), float("nan"))
    return change
