"""What an evaluation brings together is what its parts give."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval import confidence, knn, metrics
from retrieval.evaluation import Embeddings, evaluate


def _drawn(seed: int, size: int = 120) -> Embeddings:
    rng = np.random.default_rng(seed)
    labels = rng.geometric(0.3, size)
    rows = np.random.default_rng(9).normal(size=(60, 6))[labels] + rng.normal(size=(size, 6))
    return Embeddings(
        rows,
        np.array([f"class {n}" for n in labels]),
        np.array([f"{seed}-{i}" for i in range(size)]),
    )


def test_leave_one_out() -> None:
    drawn = _drawn(0)
    found = evaluate(drawn, ks=(1, 3), hardest=4)
    values = metrics.per_query_metrics(
        drawn.vectors, drawn.labels, drawn.ids, drawn.vectors, drawn.labels, drawn.ids, ks=(1, 3)
    )
    none = np.isnan(values["map_at_r"])
    assert (found.queries, found.without_relevant, found.gallery) == (120, none.sum(), 120)
    for name, value in values.items():
        assert found.means[name].mean == pytest.approx(np.nanmean(value))
        assert found.means[name] == confidence.bootstrap_mean(value)
        assert found.balanced[name] == confidence.class_balanced_mean(value, drawn.labels)
    assert found.knn_accuracy == {
        k: knn.knn_accuracy(drawn.vectors, drawn.labels, k=k) for k in (1, 3)
    }
    assert 0.5 < found.pairs["area_under_roc"] < 1.0
    assert found.pairs["fnmr_at_fmr_0.01"] < found.pairs["fnmr_at_fmr_0.001"]
    assert sum(result.queries for result in found.classes) == 120 - none.sum()
    scores = [(result.recall_at_1, result.map_at_r) for result in found.classes]
    assert scores == sorted(scores)
    for result in found.classes:
        rows = (drawn.labels == result.label) & ~none
        assert result.recall_at_1 == pytest.approx(values["recall_at_1"][rows].mean())
    ranks = [query.first_relevant_rank for query in found.hardest]
    worst = sorted(np.rint(1 / values["mean_reciprocal_rank"][~none]), reverse=True)
    assert ranks == worst[:4]


def test_against_a_gallery() -> None:
    queries, gallery = _drawn(1, 50), _drawn(2)
    found = evaluate(queries, gallery, ks=(5,))
    expected = metrics.retrieval_metrics(
        queries.vectors, queries.labels, gallery.vectors, gallery.labels, ks=(5,)
    )
    assert found.gallery == 120
    for name in ("recall_at_5", "map_at_r"):
        assert found.means[name].mean == pytest.approx(expected[name])
    # Classes and queries are ordered by it, so it is measured whatever is asked for.
    assert "recall_at_1" in found.means and list(found.knn_accuracy) == [5]


def test_bad_input_is_named() -> None:
    drawn = _drawn(3, 10)
    with pytest.raises(ValueError, match="the id 3-0 occurs more than once"):
        evaluate(drawn, drawn)
    with pytest.raises(ValueError, match="no query"):
        evaluate(Embeddings(np.zeros((0, 3)), np.zeros(0, int), np.zeros(0, int)))
