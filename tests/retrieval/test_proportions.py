"""Intervals of shares against SciPy, Newcombe's tables, and what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from retrieval.proportions import difference, wilson


@given(st.integers(1, 500), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99667]))
def test_wilson_is_scipys(trials: int, share: float, confidence: float):
    successes = round(share * trials)
    found = wilson(successes, trials, confidence=confidence)
    test = scipy.stats.binomtest(successes, trials)
    expected = test.proportion_ci(confidence_level=confidence, method="wilson")
    assert found == pytest.approx((successes / trials, expected.low, expected.high), abs=1e-12)


def test_wilson_solves_its_equation():
    z = scipy.stats.norm.ppf(0.975)
    found = wilson(7, 40)

    def gap(share: float) -> float:
        return (7 / 40 - share) ** 2 - z * z * share * (1 - share) / 40

    assert found.low == pytest.approx(scipy.optimize.brentq(gap, 0.001, 7 / 40))
    assert found.high == pytest.approx(scipy.optimize.brentq(gap, 7 / 40, 0.999))


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [  # Newcombe 1998, table II, method 10
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_newcombes_table(counts: tuple[int, int, int, int], low: float, high: float):
    found = difference(*counts)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.value == pytest.approx(counts[0] / counts[1] - counts[2] / counts[3])


@given(st.integers(0, 30), st.integers(0, 50), st.floats(0.5, 0.999))
def test_it_turns_around_and_stays_within_its_range(one: int, other: int, confidence: float):
    found = difference(one, 30, other, 50, confidence=confidence)
    back = difference(other, 50, one, 30, confidence=confidence)
    assert back == pytest.approx((-found.value, -found.high, -found.low))
    assert -1 - 1e-12 <= found.low <= found.value <= found.high <= 1 + 1e-12


@pytest.mark.parametrize("shares", [(0.05, 0.05), (0.4, 0.1), (0.97, 0.9)])
def test_coverage(shares: tuple[float, float]):
    rng = np.random.default_rng(0)
    draws, trials = 3000, (120, 160)
    ones, others = (rng.binomial(n, p, draws) for n, p in zip(trials, shares, strict=True))
    covered = 0
    for one, other in zip(ones, others, strict=True):
        found = difference(int(one), trials[0], int(other), trials[1], confidence=0.95)
        covered += found.low <= shares[0] - shares[1] <= found.high
    assert 0.935 < covered / draws < 0.985


@pytest.mark.parametrize(
    ("arguments", "confidence", "message"),
    [
        ((3, 2), 0.9, "3 of 2"),
        ((-1, 2), 0.9, "-1 of 2"),
        ((0, 0), 0.9, "0 of 0"),
        ((1, 2), 1.0, "confidence must be between 0 and 1, got 1.0"),
        ((1, 2), math.nan, "confidence"),
    ],
)
def test_bad_input(arguments: tuple[int, int], confidence: float, message: str):
    with pytest.raises(ValueError, match=message):
        wilson(*arguments, confidence=confidence)
