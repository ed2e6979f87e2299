"""The vote of the nearest neighbours against a loop, and scikit-learn's where there are no ties."""

from __future__ import annotations

import collections

import numpy as np
import pytest
import sklearn.neighbors
from hypothesis import given
from hypothesis import strategies as st

from retrieval.knn import knn_accuracy
from retrieval.metrics import retrieval_metrics


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 12), size=st.integers(2, 30))
def test_equals_a_loop(seed: int, k: int, size: int, make_rows, rank) -> None:
    rng = np.random.default_rng(seed)
    embeddings = make_rows("ties", size, 3, rng)
    labels = rng.integers(0, 4, size).tolist()
    right = 0
    for ranking, label in zip(
        rank(embeddings, embeddings, range(size), range(size)), labels, strict=True
    ):
        # Counter keeps the order of first appearance, and max the first of the largest.
        votes = collections.Counter(labels[index] for _, index in ranking[:k])
        right += max(votes, key=lambda vote: votes[vote]) == label
    assert knn_accuracy(embeddings, labels, k=k) == pytest.approx(right / size, abs=1e-12)


def test_equals_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    rows = rng.normal(size=(400, 5)) + labels[:, None]
    # An odd number of votes for two classes has no tie.
    peer = sklearn.neighbors.KNeighborsClassifier(7, metric="cosine").fit(rows[:300], labels[:300])
    names = np.array(["a", "b"])[labels]
    found = knn_accuracy(rows[300:], names[300:], rows[:300], names[:300], k=7)
    assert found == pytest.approx(peer.score(rows[300:], labels[300:]), abs=1e-12)


def test_one_neighbour_is_recall_at_1() -> None:
    rng = np.random.default_rng(1)
    rows, labels = rng.normal(size=(100, 4)), rng.integers(0, 5, 100)
    expected = retrieval_metrics(rows, labels, ks=(1,))["recall_at_1"]
    assert knn_accuracy(rows, labels, k=1) == pytest.approx(expected)


def test_corners() -> None:
    assert np.isnan(knn_accuracy([[1.0, 0.0]], [1]))
    assert knn_accuracy([[1.0, 0.0], [1.0, 0.1]], [1, 2], k=5) == 0.0
    with pytest.raises(ValueError, match="must be given together"):
        knn_accuracy([[1.0]], [1], [[1.0]])
    with pytest.raises(ValueError, match="k must be at least 1"):
        knn_accuracy([[1.0], [2.0]], [1, 1], k=0)
