"""Changes in metrics and classes, against what can be worked out by hand or otherwise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pipeline.comparison.changes import (
    FEWEST_FOR_INTERVAL,
    HIT,
    ORDER,
    class_changes,
    discordance,
    metric_changes,
)
from pipeline.comparison.query_changes import query_changes


def _values(seed: int, count: int = 60) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {HIT: (rng.random(count) < 0.6).astype(float), ORDER: rng.random(count)}


def test_changes_are_differences_of_means_within_their_intervals() -> None:
    one, other = _values(0), _values(1)
    found = metric_changes(one, other)
    for name, change in found.items():
        assert change.mean == pytest.approx(other[name].mean() - one[name].mean())
        assert change.low < change.mean < change.high
        # The normal approximation, which for 60 values is near.
        half = 1.96 * (other[name] - one[name]).std() / math.sqrt(60)
        assert change.high - change.low == pytest.approx(2 * half, rel=0.12)


def test_the_pairing_counts() -> None:
    values = np.random.default_rng(0).random(200)
    shift = metric_changes({ORDER: values}, {ORDER: values + 0.01})[ORDER]
    assert (shift.low, shift.high) == pytest.approx((0.01, 0.01))


def test_a_run_against_itself_changes_nowhere() -> None:
    values = _values(0)
    assert {tuple(change) for change in metric_changes(values, values).values()} == {(0, 0, 0)}
    hits = discordance(values[HIT], values[HIT])
    assert (hits.only_reference, hits.only_other, hits.p_value) == (0, 0, 1.0)
    assert hits.both + hits.neither == 60


def test_swapping_the_runs_negates() -> None:
    one, other = _values(0), _values(1)
    there, back = metric_changes(one, other), metric_changes(other, one)
    for name in one:
        assert there[name].mean == -back[name].mean
        assert (there[name].low, there[name].high) == pytest.approx(
            (-back[name].high, -back[name].low)
        )
    first, second = discordance(one[HIT], other[HIT]), discordance(other[HIT], one[HIT])
    assert (first.only_reference, first.only_other) == (second.only_other, second.only_reference)
    assert (first.both, first.neither, first.p_value) == (
        second.both,
        second.neither,
        second.p_value,
    )


def test_metrics_that_only_one_run_has_are_left_out() -> None:
    one, other = _values(0), _values(1)
    assert set(metric_changes(one, {ORDER: other[ORDER]})) == {ORDER}
    assert set(metric_changes({HIT: one[HIT]}, other)) == {HIT}


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (1, 0), (3, 9), (9, 3), (20, 20)])
def test_discordant_queries_are_counted_and_tested(lost: int, won: int) -> None:
    one = np.array([1.0] * lost + [0.0] * won + [1.0] * 5 + [0.0] * 4)
    other = np.array([0.0] * lost + [1.0] * won + [1.0] * 5 + [0.0] * 4)
    found = discordance(one, other)
    assert (found.both, found.only_reference, found.only_other, found.neither) == (5, lost, won, 4)
    # Twice the shorter tail of a fair coin, at most 1.
    tail = stats.binom.cdf(min(lost, won), lost + won, 0.5)
    assert found.p_value == pytest.approx(min(1.0, 2 * tail))


def test_classes_are_those_of_their_own_queries() -> None:
    names = np.array(["b"] * 6 + ["a"] * 8 + ["few"] * (FEWEST_FOR_INTERVAL - 1))
    one, other = _values(0, len(names)), _values(1, len(names))
    found = class_changes(names, one, other)
    assert {change.name: change.queries for change in found} == {"a": 8, "b": 6, "few": 4}
    for change in found:
        own = names == change.name
        for metric in (HIT, ORDER):
            assert change.reference[metric] == pytest.approx(one[metric][own].mean())
            assert change.other[metric] == pytest.approx(other[metric][own].mean())
            assert change.change[metric].mean == pytest.approx(
                other[metric][own].mean() - one[metric][own].mean()
            )
            assert math.isnan(change.change[metric].low) == (change.name == "few")
    sizes = [abs(change.change[ORDER].mean) for change in found]
    assert sizes == sorted(sizes, reverse=True)


def test_queries_are_sorted_by_what_they_gained() -> None:
    ids = np.array(list("abcdef"))
    was = np.array([0.5, 0.5, 0.2, 0.2, 0.0, 0.3]), np.array([1, 1, 2, 5, 9, 1])
    now = np.array([0.9, 0.1, 0.2, 0.2, 0.0, 0.3 + 1e-15]), np.array([1, 2, 1, 9, 4, 1])
    found = query_changes(ids, was, now)
    # a by MAP@R; of those that kept it, e came five ranks nearer and c one; f differs by rounding.
    assert ids[found.better].tolist() == ["a", "e", "c"]
    assert ids[found.worse].tolist() == ["b", "d"]
    assert found.same == 1
    back = query_changes(ids, now, was)
    assert ids[back.better].tolist() == ["b", "d"]
    assert ids[back.worse].tolist() == ["a", "e", "c"]
    itself = query_changes(ids, was, was)
    assert (len(itself.better), len(itself.worse), itself.same) == (0, 0, 6)


def test_equal_queries_keep_one_order() -> None:
    ids = np.array(["z", "a", "m"])
    was, now = (np.zeros(3), np.full(3, 4)), (np.ones(3), np.ones(3, int))
    assert ids[query_changes(ids, was, now).better].tolist() == ["a", "m", "z"]
