"""Curves over all pairs against scikit-learn's, and histograms against pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics

from retrieval import verification
from retrieval.verification import PairScores, pair_scores


def _pairs(
    queries: np.ndarray, labels: np.ndarray, gallery: np.ndarray, gallery_labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cosines rounded down to the bins, and whether the pair is genuine."""

    def unit(matrix: np.ndarray) -> np.ndarray:
        return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)

    cosines = unit(queries) @ unit(gallery).T
    floors = np.floor((cosines + 1) * 2**15) / 2**15 - 1
    return floors, labels[:, None] == gallery_labels


@pytest.fixture(scope="module", params=["leave one out", "against a gallery"])
def drawn(request: pytest.FixtureRequest) -> tuple[PairScores, np.ndarray, np.ndarray]:
    """Histograms, and scores and truth of the same pairs, of more rows than a block has."""
    rng = np.random.default_rng(0)
    labels = rng.geometric(0.2, 1500)
    centers = rng.normal(size=(labels.max() + 1, 6))
    rows = centers[labels] + rng.normal(size=(1500, 6))
    if request.param == "leave one out":
        scores, same = _pairs(rows, labels, rows, labels)
        above = np.triu_indices(len(rows), 1)
        return pair_scores(rows, labels), scores[above], same[above]
    parts = slice(0, 300), slice(300, None)
    scores, same = _pairs(rows[parts[0]], labels[parts[0]], rows[parts[1]], labels[parts[1]])
    found = pair_scores(rows[parts[0]], labels[parts[0]], rows[parts[1]], labels[parts[1]])
    return found, scores.ravel(), same.ravel()


# A cosine at a bin's edge may fall to either side of it in another arithmetic.
def test_every_pair_is_counted_once(drawn: tuple[PairScores, np.ndarray, np.ndarray]) -> None:
    found, scores, same = drawn
    assert (found.genuine.sum(), found.impostor.sum()) == (same.sum(), (~same).sum())
    for counts, values in ((found.genuine, scores[same]), (found.impostor, scores[~same])):
        bins = np.rint((values + 1) * 2**15).astype(int).clip(0, 2**16 - 1)
        expected = np.bincount(bins, minlength=2**16)
        assert np.abs(np.cumsum(counts) - np.cumsum(expected)).max() <= 2


def test_areas(drawn: tuple[PairScores, np.ndarray, np.ndarray]) -> None:
    found, scores, same = drawn
    area = sklearn.metrics.roc_auc_score(same, scores)
    assert verification.area_under_roc(found) == pytest.approx(area, abs=1e-6)
    precise = sklearn.metrics.average_precision_score(same, scores)
    assert verification.average_precision(found) == pytest.approx(precise, abs=1e-5)


def test_curve(drawn: tuple[PairScores, np.ndarray, np.ndarray]) -> None:
    found, scores, same = drawn
    curve = verification.roc(found)
    for at in np.linspace(0, len(curve.threshold) - 1, 9).astype(int):
        above = scores >= curve.threshold[at] - 1e-9
        assert curve.false_match_rate[at] == pytest.approx(above[~same].mean(), abs=1e-5)
        assert curve.false_non_match_rate[at] == pytest.approx(1 - above[same].mean(), abs=1e-3)


@pytest.mark.parametrize("rate", [0.0, 1e-3, 0.1, 1.0])
def test_fnmr_at_fmr(drawn: tuple[PairScores, np.ndarray, np.ndarray], rate: float) -> None:
    found, scores, same = drawn
    misses, threshold = verification.fnmr_at_fmr(found, rate)
    assert (scores[~same] >= threshold - 1e-9).mean() <= rate + 1e-5
    # The best that any threshold of the scores themselves does.
    candidates = np.append(np.unique(scores), np.inf)
    impostors, genuine = np.sort(scores[~same]), np.sort(scores[same])
    rates = 1 - np.searchsorted(impostors, candidates) / len(impostors)
    best = (np.searchsorted(genuine, candidates) / len(genuine))[rates <= rate].min()
    assert misses == pytest.approx(best, abs=2e-3)


def test_histograms_of_parts_add_up() -> None:
    rng = np.random.default_rng(1)
    rows, labels = rng.normal(size=(60, 4)), rng.integers(0, 5, 60)
    whole = pair_scores(rows[:40], labels[:40], rows, labels)
    first = pair_scores(rows[:15], labels[:15], rows, labels)
    rest = pair_scores(rows[15:40], labels[15:40], rows, labels)
    for found, expected in zip(first + rest, whole, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_ties_count_half() -> None:
    equal = PairScores(np.zeros(2**16, np.int64), np.zeros(2**16, np.int64))
    equal.genuine[[100, 200]] = 3, 1
    equal.impostor[[100]] = 7
    # Of 4 × 7 comparisons 7 are won and 21 tied.
    assert verification.area_under_roc(equal) == pytest.approx((7 + 21 / 2) / 28)


def test_without_pairs_of_one_kind_there_is_no_rate() -> None:
    alone = pair_scores([[1.0, 0.0], [0.0, 1.0]], [1, 2])
    assert np.isnan(verification.area_under_roc(alone))
    assert np.isnan(verification.average_precision(alone))
    assert np.isnan(verification.fnmr_at_fmr(alone, 0.1)).all()


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="must be given together"):
        pair_scores([[1.0]], [1], [[1.0]])
    with pytest.raises(ValueError, match="false_match_rate must be in"):
        verification.fnmr_at_fmr(pair_scores([[1.0], [2.0]], [1, 1]), 1.5)
