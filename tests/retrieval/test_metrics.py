"""Metrics against textbook loops, PyTorch Metric Learning's values, and hand-made cases."""

from __future__ import annotations

import json
import math
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval import leading_ranks, metrics
from retrieval.metrics import per_query_metrics, retrieval_metrics
from retrieval.ranks import RelevantRanks, comparison, relevant_ranks

KINDS = ("normal", "ties", "near_ties", "crowd", "positive")
KS = (1, 3, 100)


def _imbalanced(rng: np.random.Generator, size: int) -> list[int]:
    """Labels of one big class, some small ones and some of a single image."""
    return (rng.geometric(0.4, size) * rng.integers(1, 4, size)).tolist()


def _assert_means(found: dict[str, float], values: dict[str, list[float]]) -> None:
    for name, per_query in values.items():
        answered = [value for value in per_query if not math.isnan(value)]
        mean = math.fsum(answered) / len(answered) if answered else math.nan
        assert found[name] == pytest.approx(mean, abs=1e-12, nan_ok=True), name
    some = next(iter(values.values()))
    assert found["queries"] == len(some)
    assert found["queries_without_relevant"] == sum(map(math.isnan, some))
    assert set(found) == {*values, "queries", "queries_without_relevant"}


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(KINDS),
    size=st.integers(1, 40),
    as_text=st.booleans(),
)
def test_leave_one_out_equals_the_loops(seed, kind, size, as_text, make_rows, rank, evaluate):
    rng = np.random.default_rng(seed)
    embeddings = make_rows(kind, size, 3, rng)
    labels: list = _imbalanced(rng, size)
    if as_text:
        labels = [f"class {label}" for label in labels]
    rankings = rank(embeddings, embeddings, range(size), range(size))
    _assert_means(
        retrieval_metrics(embeddings, labels, ks=KS), evaluate(rankings, labels, labels, KS)
    )


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(KINDS),
    sizes=st.tuples(st.integers(1, 12), st.integers(0, 40)),
    with_ids=st.booleans(),
)
def test_queries_against_a_gallery_equal_the_loops(
    seed, kind, sizes, with_ids, make_rows, rank, evaluate
):
    rng = np.random.default_rng(seed)
    queries, gallery = (make_rows(kind, size, 3, rng) for size in sizes)
    query_labels, gallery_labels = (_imbalanced(rng, size) for size in sizes)
    ids: tuple[list[str] | None, ...] = (None, None)
    if with_ids:
        ids = tuple([f"{i}.jpg" for i in rng.integers(0, 20, size)] for size in sizes)
    found = per_query_metrics(queries, query_labels, ids[0], gallery, gallery_labels, ids[1], ks=KS)
    expected = evaluate(rank(queries, gallery, *ids), query_labels, gallery_labels, KS)
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-12, rtol=0, err_msg=name)
    means = retrieval_metrics(
        queries,
        query_labels,
        gallery,
        gallery_labels,
        ks=KS,
        query_ids=ids[0],
        gallery_ids=ids[1],
    )
    _assert_means(means, expected)


PML_NAMES = {
    "mean_average_precision": "mean_average_precision",
    "mean_average_precision_at_r": "map_at_r",
    "mean_reciprocal_rank": "mean_reciprocal_rank",
    "precision_at_1": "precision_at_1",
    "r_precision": "r_precision",
}


@pytest.mark.parametrize("protocol", ["leave_one_out", "queries_odd_gallery_even"])
def test_equals_pytorch_metric_learning_on_real_embeddings(
    protocol: str, shared_folder: pathlib.Path
):
    reference = shared_folder / "reference"
    expected = json.loads(
        (reference / "flowers102_validation_expected_metrics.json").read_text("utf-8")
    )[protocol]
    stored = np.load(reference / "flowers102_validation_frozen_lite0.npz")
    embeddings, labels = stored["embeddings"].astype(np.float32), stored["labels"]
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    if protocol == "leave_one_out":
        found = retrieval_metrics(embeddings, labels)
    else:
        found = retrieval_metrics(embeddings[1::2], labels[1::2], embeddings[::2], labels[::2])
    assert {name: found[PML_NAMES[name]] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert found["recall_at_1"] == found["precision_at_1"]
    assert found["recall_at_1"] < found["recall_at_5"] < found["recall_at_10"]


def test_queries_can_be_given_a_batch_at_a_time(make_rows):
    rng = np.random.default_rng(5)
    embeddings, labels = make_rows("near_ties", 700, 50, rng), _imbalanced(rng, 700)
    ids = np.arange(700)
    whole = per_query_metrics(embeddings, labels, ids, embeddings, labels, ids)
    for start in (0, 3, 650):
        part = slice(start, start + 50)
        batch = per_query_metrics(
            embeddings[part], labels[part], ids[part], embeddings, labels, ids
        )
        for name, values in whole.items():
            np.testing.assert_array_equal(batch[name], values[part])


LISTS = ("recall_at_5", "ndcg_at_1", "map_at_r", "r_precision", "mean_reciprocal_rank")


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(("normal", "ties", "near_ties", "crowd")),
    names=st.sets(st.sampled_from(LISTS), min_size=1),
    with_ids=st.booleans(),
)
def test_metrics_of_the_first_ranks_equal_those_of_all(seed, kind, names, with_ids, make_rows):
    """Small classes, so that lists suffice, in a gallery of several blocks."""
    rng = np.random.default_rng(seed)
    gallery, labels = make_rows(kind, 300, 3, rng), rng.integers(0, 60, 300)
    picked = rng.permutation(300)[:40]
    # Some have no relevant item, some have only one that is far away.
    query_labels = np.where(rng.random(40) < 0.3, rng.integers(0, 70, 40), labels[picked])
    ids = (picked, np.arange(300)) if with_ids else (None, None)
    arguments = (gallery[picked], query_labels, ids[0], gallery, labels, ids[1], (1, 5))
    expected = per_query_metrics(*arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leading_ranks, "_GALLERY_BLOCK", 64)
        patch.setattr(leading_ranks, "_QUERY_BLOCK", 16)
        # Ranks of the whole gallery are not to be asked for.
        patch.setattr(metrics, "relevant_ranks", None)
        found = per_query_metrics(*arguments, names=names)
    assert list(found) == [name for name in expected if name in names]
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)


def test_large_classes_take_the_ranks_of_the_whole_gallery(monkeypatch):
    rng = np.random.default_rng(1)
    rows, labels = rng.normal(size=(60, 4)), rng.integers(0, 2, 60)
    expected = retrieval_metrics(rows, labels)
    monkeypatch.setattr(leading_ranks, "leading_ranks", None)
    assert retrieval_metrics(rows, labels, names=["map_at_r"])["map_at_r"] == expected["map_at_r"]


def test_ranks_across_many_blocks_and_strips(make_rows):
    """More gallery rows than a block of `ranks.py` holds, more queries than its strip."""
    rng = np.random.default_rng(6)
    gallery = make_rows("ties", 4500, 5, rng)
    queries = gallery[rng.integers(0, len(gallery), 600)]
    labels = rng.integers(0, 1500, len(gallery))
    query_labels = rng.integers(0, 1500, len(queries))
    parts = relevant_ranks(comparison(queries, query_labels, None, gallery, labels, None))
    found = RelevantRanks(*map(np.concatenate, zip(*parts, strict=True)))
    np.testing.assert_array_equal(
        found.relevant, (query_labels[:, None] == labels[None]).sum(axis=1)
    )

    def unit(matrix: np.ndarray) -> np.ndarray:
        norm = np.linalg.norm(matrix, axis=1, keepdims=True)
        return np.rint(matrix / np.where(norm > 0, norm, 1) * 2**24) / 2**24

    unit_gallery, start = unit(gallery), 0
    for index in range(len(queries)):
        cosine = (unit(queries[index : index + 1]) @ unit_gallery.T + 0.0).astype(np.float32)[0]
        order = np.argsort(-cosine, kind="stable")
        expected = 1 + np.flatnonzero(labels[order] == query_labels[index])
        np.testing.assert_array_equal(found.rank[start : start + found.relevant[index]], expected)
        start += found.relevant[index]
    assert start == len(found.rank)


def test_a_worked_example():
    # Ranking of the query: wrong, right, right, wrong, right. So R = 3.
    gallery = [[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [1.0, 0.3], [1.0, 0.4]]
    found = retrieval_metrics([[1.0, 0.0]], [1], gallery, [0, 1, 1, 0, 1], ks=(1, 2, 10))
    assert found == pytest.approx(
        {
            "recall_at_1": 0.0,
            "precision_at_1": 0.0,
            "average_precision_at_1": 0.0,
            "ndcg_at_1": 0.0,
            "recall_at_2": 1.0,
            "precision_at_2": 1 / 2,
            "average_precision_at_2": (1 / 2) / 2,
            "ndcg_at_2": (1 / math.log2(3)) / (1 + 1 / math.log2(3)),
            "recall_at_10": 1.0,
            "precision_at_10": 3 / 10,
            "average_precision_at_10": (1 / 2 + 2 / 3 + 3 / 5) / 3,
            "ndcg_at_10": (1 / math.log2(3) + 1 / 2 + 1 / math.log2(6))
            / (1 + 1 / math.log2(3) + 1 / 2),
            "r_precision": 2 / 3,
            "map_at_r": (1 / 2 + 2 / 3) / 3,
            "mean_average_precision": (1 / 2 + 2 / 3 + 3 / 5) / 3,
            "mean_reciprocal_rank": 1 / 2,
            "queries": 1.0,
            "queries_without_relevant": 0.0,
        }
    )


def test_duplicates_of_the_query_are_not_dropped_with_it():
    found = retrieval_metrics(np.ones((4, 2)), [0, 1, 0, 1], ks=(1,))
    # All tie, so the lowest other index is first: 1 for query 0, and 0 for queries 1, 2 and 3.
    assert found["recall_at_1"] == 1 / 4


def test_no_query_has_a_relevant_item():
    found = retrieval_metrics(np.eye(3), [0, 1, 2])
    assert found["queries_without_relevant"] == 3
    assert math.isnan(found["map_at_r"]) and math.isnan(found["recall_at_1"])


@pytest.mark.parametrize("ids", [{}, {"query_ids": ["a", "b"], "gallery_ids": []}])
def test_an_empty_gallery_answers_nothing(ids: dict):
    found = retrieval_metrics(np.eye(2), [0, 1], np.ones((0, 2)), [], **ids)
    assert found["queries_without_relevant"] == 2
    assert math.isnan(found["map_at_r"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"ks": (0,)}, ValueError, "every k of ks must be at least 1, got 0"),
        (
            {"names": ["recall_at_2"]},
            ValueError,
            r"names must be some of .*; got \['recall_at_2'\]",
        ),
        ({"names": []}, ValueError, "names must be some of"),
        ({"gallery_embeddings": [[1.0]]}, ValueError, "given together"),
        ({"gallery_labels": [1]}, ValueError, "given together"),
        ({"gallery_ids": [1, 2]}, ValueError, "leave-one-out uses query_ids"),
        ({"query_labels": [1]}, ValueError, "query_labels must have shape"),
        ({"query_labels": [0.5, 1.0]}, TypeError, "integers or strings"),
        (
            {"gallery_embeddings": [[1.0, 0.0]], "gallery_labels": [1], "query_ids": [1, 2]},
            ValueError,
            "query_ids and gallery_ids must be given together",
        ),
    ],
)
def test_bad_arguments_are_named(arguments: dict, error: type[Exception], message: str):
    valid = {"query_embeddings": np.eye(2), "query_labels": [0, 0]}
    with pytest.raises(error, match=message):
        retrieval_metrics(**{**valid, **arguments})
