"""Means and bootstrap intervals against SciPy's, and against what intervals promise."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from retrieval.confidence import bootstrap_mean, class_balanced_mean, paired_bootstrap


def test_class_balanced_mean_is_a_mean_of_means() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 9, 200)
    values = rng.normal(size=200)
    values[rng.integers(0, 200, 50)] = np.nan
    values[labels == 4] = np.nan
    expected = np.mean([np.nanmean(values[labels == c]) for c in range(9) if c != 4])
    assert class_balanced_mean(values, labels) == pytest.approx(expected, abs=1e-12)
    names = [f"class {label}" for label in labels]
    assert class_balanced_mean(values, names) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(class_balanced_mean([np.nan], [1]))


def test_the_interval_is_that_of_scipy() -> None:
    values = np.random.default_rng(1).beta(0.5, 0.5, 300)
    found = bootstrap_mean(values, confidence=0.9, resamples=20_000)
    expected = scipy.stats.bootstrap(
        (values,), np.mean, confidence_level=0.9, n_resamples=20_000, method="percentile",
        random_state=2,
    ).confidence_interval  # fmt: skip
    assert found.mean == pytest.approx(values.mean(), abs=1e-12)
    # Quantiles of 20,000 resampled means, of standard deviation 0.02, are known to 0.0004 or so.
    assert found[1:] == pytest.approx((expected.low, expected.high), abs=2e-3)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for trial in range(300):
        interval = bootstrap_mean(rng.random(100) < 0.7, resamples=400, seed=trial)
        covered += interval.low <= 0.7 <= interval.high
    # 0.95 with a standard error of 0.013; the bootstrap of 100 values falls a little short.
    assert 0.89 <= covered / 300 <= 0.99


def test_pairs_cancel_what_makes_a_query_hard() -> None:
    rng = np.random.default_rng(4)
    hardness = rng.random(500)
    baseline = np.where(rng.random(500) < 0.05, np.nan, hardness)
    candidate = hardness + 0.01 + 0.002 * rng.normal(size=500)
    found = paired_bootstrap(candidate, baseline)
    assert 0.0 < found.low < found.mean < found.high < 0.02
    alone = bootstrap_mean(candidate)
    assert alone.high - alone.low > 20 * (found.high - found.low)
    swapped = paired_bootstrap(baseline, candidate)
    assert swapped.mean == pytest.approx(-found.mean, abs=1e-12)


def test_the_same_seed_gives_the_same_interval_however_it_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(5).random(50)
    whole = bootstrap_mean(values, resamples=100, seed=7)
    monkeypatch.setattr("retrieval.confidence._DRAWN_AT_ONCE", 500)
    assert bootstrap_mean(values, resamples=100, seed=7) == whole
    assert bootstrap_mean(values, resamples=100, seed=8) != whole


def test_values_that_are_not_there() -> None:
    assert np.isnan(bootstrap_mean([np.nan, np.nan])).all()
    assert bootstrap_mean([np.nan, 0.25]) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: class_balanced_mean([1.0], [1, 2]), "one length"),
        (lambda: bootstrap_mean([[1.0]]), "vector"),
        (lambda: bootstrap_mean([1.0], confidence=1.0), "confidence must be in"),
        (lambda: bootstrap_mean([1.0], resamples=0), "resamples at least 1"),
        (lambda: paired_bootstrap([1.0], [1.0, 2.0]), "one shape"),
    ],
)
def test_bad_arguments_are_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
