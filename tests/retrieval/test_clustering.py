"""Clusters of lumps that cannot be missed, and information computed from the contingency table."""

from __future__ import annotations

import math

import numpy as np
import pytest

from retrieval import clustering


def _lumps(spread: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, 300)
    return np.eye(6)[labels] * 3.0 + spread * rng.normal(size=(300, 6)), labels


def test_lumps_are_found_whatever_their_length() -> None:
    rows, labels = _lumps(0.2)
    rows *= np.random.default_rng(1).uniform(0.1, 10.0, (300, 1))
    for clusters in (
        clustering.kmeans_clusters(rows, 6),
        clustering.nearest_center_clusters(rows, labels),
    ):
        assert clustering.agreement(labels, clusters) == pytest.approx({"nmi": 1.0, "ami": 1.0})


def test_nearest_centers_against_a_loop() -> None:
    rows, labels = _lumps(2.0)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    means = np.stack([unit[labels == c].mean(axis=0) for c in range(6)])
    cosines = unit @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    names = np.array(["zinnia", "aster", "rose", "iris", "lily", "poppy"])[labels]
    order = np.argsort(["zinnia", "aster", "rose", "iris", "lily", "poppy"])
    np.testing.assert_array_equal(
        order[clustering.nearest_center_clusters(rows, names)], cosines.argmax(axis=1)
    )


def test_information_from_the_table() -> None:
    rows, labels = _lumps(2.0)
    clusters = clustering.kmeans_clusters(rows, 4, seed=3)
    table = np.zeros((6, 4))
    np.add.at(table, (labels, clusters), 1 / 300)

    def entropy(shares: np.ndarray) -> float:
        return -math.fsum(p * math.log(p) for p in shares.ravel() if p)

    of_labels, of_clusters = entropy(table.sum(axis=1)), entropy(table.sum(axis=0))
    mutual = of_labels + of_clusters - entropy(table)
    found = clustering.agreement(labels, clusters)
    assert found["nmi"] == pytest.approx(2 * mutual / (of_labels + of_clusters), abs=1e-9)


def test_chance_is_taken_off() -> None:
    rng = np.random.default_rng(2)
    found = [
        clustering.agreement(rng.integers(0, 20, 200), rng.integers(0, 20, 200)) for _ in range(20)
    ]
    assert abs(np.mean([values["ami"] for values in found])) < 0.02
    assert np.mean([values["nmi"] for values in found]) > 0.2


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="clusters must be in 1 … 2"):
        clustering.kmeans_clusters([[1.0], [2.0]], 3)
    with pytest.raises(ValueError, match=r"labels must have shape \(2,\)"):
        clustering.nearest_center_clusters([[1.0], [2.0]], [1])
    with pytest.raises(ValueError, match="one length"):
        clustering.agreement([1, 2], [1])
