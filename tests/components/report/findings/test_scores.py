"""Histograms of scores equal those of all pairs, one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from components.report.findings.run_images import RunImages
from components.report.findings.scores import MOST_BINS, scores
from tests.components.report.findings.build import images_of


def random_images(seed: int, count: int = 40, noise: float = 0.6) -> RunImages:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    vectors = rng.normal(size=(4, 6))[labels] + rng.normal(size=(count, 6)) * noise
    splits = [str(split) for split in rng.choice(["train", "validation", "test"], count)]
    return images_of(vectors, [f"class {label}" for label in labels], splits)


def cosines(images: RunImages) -> np.ndarray:
    unit = images.embeddings / np.linalg.norm(images.embeddings, axis=1, keepdims=True)
    return unit @ unit.T


def histogram(values: list[float], edges: list[float]) -> list[int]:
    return np.histogram(values, np.array(edges) - 1e-7)[0].tolist()


@given(
    st.integers(0, 50),
    st.sampled_from(["validation", "test"]),
    st.sampled_from([("train", "validation"), ("train",), ("test",), ("validation", "test")]),
)
def test_pairs_and_nearest_neighbours(seed: int, split: str, gallery_splits: tuple[str]) -> None:
    images = random_images(seed)
    queries = np.flatnonzero(images.splits == split)
    gallery = np.flatnonzero(images.among(gallery_splits))
    found = scores(images, queries, gallery, 0.5)
    cosine, classes = cosines(images), images.classes
    pairs = {
        tuple(sorted((int(a), int(b)))) for a, b in itertools.product(queries, gallery) if a != b
    }
    if not pairs:
        assert found is None
        return
    assert found is not None
    edges = found["edges"]
    assert len(edges) - 1 <= MOST_BINS and len(found["same"]) == len(edges) - 1
    for key, same in (("same", True), ("other", False)):
        values = [cosine[a, b] for a, b in pairs if (classes[a] == classes[b]) == same]
        assert len(values) == sum(histogram(values, edges)), "every pair is in a bin"
        np.testing.assert_allclose(
            np.array(found[key]) * max(1, len(values)), histogram(values, edges), atol=1e-6
        )
    nearest: dict[bool, list[float]] = {True: [], False: []}
    for query in queries:
        others = [row for row in gallery if row != query]
        if any(classes[row] == classes[query] for row in others):
            best = max(others, key=lambda row: cosine[query, row])
            nearest[classes[best] == classes[query]].append(cosine[query, best])
    assert found["nearest_right"] == histogram(nearest[True], edges)
    assert found["nearest_wrong"] == histogram(nearest[False], edges)
    above = {right: sum(value >= 0.5 for value in nearest[right]) for right in nearest}
    total = len(nearest[True]) + len(nearest[False])
    matched = above[True] + above[False]
    if total:
        assert found["recall_at_threshold"] == pytest.approx(matched / total)
    if matched:
        assert found["precision_at_threshold"] == pytest.approx(above[True] / matched)
    labels = [bool(classes[a] == classes[b]) for a, b in sorted(pairs)]
    if len(set(labels)) == 2:
        expected = roc_auc_score(labels, [cosine[a, b] for a, b in sorted(pairs)])
        assert found["area_under_roc"] == pytest.approx(expected, abs=1e-3)


def test_at_the_thresholds_of_false_match_rates_so_many_match() -> None:
    images = random_images(3, count=120)
    rows = np.arange(len(images))
    found = scores(images, rows, rows, None)
    assert found is not None
    cosine, upper = cosines(images), np.triu(np.ones((120, 120), bool), 1)
    same = images.classes[:, None] == images.classes
    for entry in found["false_matches"]:
        matches = cosine >= entry["threshold"] - 1e-6
        assert (matches & upper & ~same).sum() <= entry["rate"] * (upper & ~same).sum()
        missed = (~matches & upper & same).sum() / (upper & same).sum()
        assert entry["misses"] == pytest.approx(missed, abs=0.01)
    assert [entry["rate"] for entry in found["false_matches"]] == [0.01, 0.001]


def test_without_a_threshold_nothing_is_said_of_it() -> None:
    images = random_images(0)
    rows = np.arange(len(images))
    found = scores(images, rows, rows, None)
    assert found is not None
    assert found["threshold"] is found["precision_at_threshold"] is None
    assert found["recall_at_threshold"] is None


def test_few_bins_however_near_the_scores_are() -> None:
    rng = np.random.default_rng(0)
    images = images_of(1 + rng.normal(size=(30, 8)) * 1e-3, list("ab") * 15)
    rows = np.arange(30)
    found = scores(images, rows, rows, None)
    assert found is not None
    assert found["edges"][0] > 0.9999 and found["edges"][-1] == 1.0
    assert sum(found["same"]) == pytest.approx(1) and sum(found["other"]) == pytest.approx(1)
