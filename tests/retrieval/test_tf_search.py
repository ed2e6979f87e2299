"""The TensorFlow search gives what the NumPy search gives, also out of a SavedModel."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from retrieval import rows, search, tf_scores, tf_search
from retrieval.similarity import Similarity

KINDS = ("normal", "ties", "near_ties", "crowd", "positive")


def _assert_same(found: tuple, expected: tuple) -> None:
    scores, indices = found
    assert scores.dtype == tf.float32 and indices.dtype == tf.int64
    np.testing.assert_array_equal(np.asarray(indices), expected[1])
    np.testing.assert_array_equal(np.asarray(scores), expected[0])


@pytest.mark.parametrize("metric", ["cosine", "dot", "squared_euclidean"])
@pytest.mark.parametrize("k", [1, 7, 40])
@pytest.mark.parametrize("size", [0, 1, 30, 500])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_numpy(kind: str, size: int, k: int, metric: Similarity, make_rows):
    rng = np.random.default_rng(size + k)
    queries, gallery = make_rows(kind, 9, 24, rng), make_rows(kind, size, 24, rng)
    if kind == "near_ties" and size:
        queries = gallery[rng.integers(0, size, 9)]
    queries[3] = 0.0
    for dtype in (np.float64, np.float32):
        queries, gallery = queries.astype(dtype), gallery.astype(dtype)
        expected = search.top_k(queries, gallery, k, metric=metric)
        for block_rows in (64, 4096):
            found = tf_search.top_k_tf(queries, gallery, k, block_rows, metric=metric)
            _assert_same(found, expected)


@pytest.mark.parametrize("size", [1, 500])
@pytest.mark.parametrize("kind", KINDS)
def test_a_gallery_of_unit_rows_is_searched_as_it_is(kind: str, size: int, make_rows):
    rng = np.random.default_rng(size)
    queries, gallery = make_rows(kind, 9, 24, rng), make_rows(kind, size, 24, rng)
    expected = search.top_k(queries, gallery, 7)
    unit = tf.constant(rows.unit_rows(gallery))
    _assert_same(tf_search.top_k_tf(queries, unit, 7, gallery_is_unit=True), expected)


@pytest.mark.parametrize("size", [1, 3, 40])
def test_blocks_as_large_as_queries_are_few(size: int):
    rng = np.random.default_rng(size)
    gallery, queries = rng.integers(-2, 3, (150_000, 8)), rng.normal(size=(size, 8))
    unit = tf.constant(rows.unit_rows(gallery))
    found = tf_search.top_k_tf(queries, unit, 25, gallery_is_unit=True)
    _assert_same(found, search.top_k(queries, gallery, 25))


def test_unit_rows_equal_numpy():
    matrix = np.random.default_rng(0).normal(size=(300, 130)).astype(np.float32)
    matrix[5] = 0.0
    matrix[6] = 1e-30
    np.testing.assert_array_equal(tf_scores.unit_rows_tf(matrix), rows.unit_rows(matrix))


def test_half_precision_and_integers_are_accepted():
    rng = np.random.default_rng(1)
    queries, gallery = rng.normal(size=(4, 8)), rng.integers(-9, 9, (20, 8))
    half = queries.astype(np.float16)
    _assert_same(tf_search.top_k_tf(half, gallery, 3), search.top_k(half, gallery, 3))


class _Searcher(tf.Module):
    def __init__(self, gallery: np.ndarray) -> None:
        super().__init__()
        self.gallery = tf.Variable(rows.unit_rows(gallery), trainable=False)

    @tf.function(input_signature=[tf.TensorSpec([None, 16], tf.float32)])
    def search(self, queries: tf.Tensor) -> dict[str, tf.Tensor]:
        scores, indices = tf_search.top_k_tf(queries, self.gallery, 5, 32, gallery_is_unit=True)
        return {"scores": scores, "indices": indices}


@pytest.mark.parametrize("kind", KINDS)
def test_survives_a_saved_model(kind: str, tmp_path: pathlib.Path, make_rows):
    rng = np.random.default_rng(4)
    gallery = make_rows(kind, 120, 16, rng).astype(np.float32)
    searcher = _Searcher(gallery)
    tf.saved_model.save(searcher, str(tmp_path), signatures={"search": searcher.search})
    signature = tf.saved_model.load(str(tmp_path)).signatures["search"]
    for size in (1, 13):  # the batch is not part of the graph
        queries = gallery[:size] if kind == "near_ties" else make_rows(kind, size, 16, rng)
        found = signature(tf.constant(queries, tf.float32))
        expected = search.top_k(np.float32(queries), gallery, 5)
        _assert_same((found["scores"], found["indices"]), expected)


def test_shapes_are_static_where_they_can_be():
    searcher = _Searcher(np.eye(16))
    concrete = searcher.search.get_concrete_function()
    assert concrete.structured_outputs["scores"].shape.as_list() == [None, 5]
    assert concrete.structured_outputs["indices"].shape.as_list() == [None, 5]


def test_a_query_that_is_not_finite_raises():
    with pytest.raises(tf.errors.InvalidArgumentError, match="queries of top_k_tf"):
        tf_search.top_k_tf([[np.nan, 1.0]], [[1.0, 0.0]], 1)


@pytest.mark.parametrize("metric", ["dot", "squared_euclidean"])
@pytest.mark.parametrize("side", ["queries", "gallery"])
def test_rows_whose_products_would_overflow_raise(metric: Similarity, side: str):
    short = np.eye(2)
    rows = {"queries": short, "gallery": short, side: [[1.6e19, 0.0]]}
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{side} of top_k_tf hold"):
        tf_search.top_k_tf(rows["queries"], rows["gallery"], 1, metric=metric)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k must be at least 1"),
        ({"block_rows": 0}, "block_rows must be at least 1"),
        ({"metric": "angle"}, "similarity must be one of"),
        ({"metric": "dot", "gallery_is_unit": True}, "gallery_is_unit is for the cosine, not for"),
        ({"queries": [1.0, 0.0]}, r"queries must have shape \[rows, dim\]"),
        ({"gallery": [[1.0]]}, "queries have dim 2, gallery has dim 1"),
    ],
)
def test_bad_arguments_are_named(arguments: dict, message: str):
    valid = {"queries": [[1.0, 0.0]], "gallery": [[1.0, 0.0]], "k": 1}
    with pytest.raises(ValueError, match=message):
        tf_search.top_k_tf(**{**valid, **arguments})
