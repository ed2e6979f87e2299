"""The shift of scores against SciPy, and how often it is found where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from retrieval.score_shift import score_shift

# Few values, so that many are tied.
SCORES = st.lists(st.integers(-10, 10).map(lambda value: value / 10), min_size=1, max_size=30)


@given(SCORES, SCORES)
def test_scipy(one: list[float], other: list[float]):
    found = score_shift(one, other)
    expected = scipy.stats.ks_2samp(one, other, alternative="greater", method="asymp")
    assert found.drop == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-12)
    assert found.distance == pytest.approx(scipy.stats.wasserstein_distance(one, other), abs=1e-12)


def test_only_lower_scores_count():
    rng = np.random.default_rng(0)
    low, high = rng.normal(0.6, 0.1, 200), rng.normal(0.7, 0.1, 150)
    assert score_shift(low, high).p_value < 1e-6
    raised = score_shift(high, low)
    assert raised.p_value > 0.9 and raised.distance == pytest.approx(0.1, abs=0.03)


def test_it_fires_in_a_share_of_null_draws_that_is_the_level():
    rng = np.random.default_rng(0)
    draws = 2000
    p_values = np.array(
        [score_shift(rng.beta(8, 2, 100), rng.beta(8, 2, 160)).p_value for _ in range(draws)]
    )
    for level in (0.01, 0.05, 0.2):
        fired = int((p_values <= level).sum())
        assert fired <= scipy.stats.binom.ppf(0.9995, draws, level)
        assert fired >= 0.5 * level * draws


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        ([], [1.0], "scores must be a vector with one number or more"),
        ([1.0], [[1.0]], "base must be a vector"),
        ([1.0, float("-inf")], [1.0], "scores must be finite"),
    ],
)
def test_bad_input(one: list, other: list, message: str):
    with pytest.raises(ValueError, match=message):
        score_shift(one, other)
