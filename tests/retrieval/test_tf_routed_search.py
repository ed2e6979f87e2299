"""Routed search gives what an exact search of the probed cells gives, and of all cells the same."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from retrieval import rows, tf_search
from retrieval.cells import Cells, class_cells
from retrieval.tf_routed_search import RoutedGallery

KINDS = ("normal", "ties", "near_ties", "crowd", "positive")
PROBES_AND_PIECES = ((1, None), (3, 8), (1000, 64))


def _gallery(kind: str, size: int, make_rows, rng: np.random.Generator) -> np.ndarray:
    return rows.unit_rows(make_rows(kind, size, 24, rng))


def _routed(queries: np.ndarray, gallery: np.ndarray, cells: Cells, probes: int, k: int) -> tuple:
    """The same routing in NumPy: all scores in float64, the cells' centroids first."""
    sizes = np.diff(cells.starts)
    while probes < len(sizes) and np.sort(sizes)[:probes].sum() < min(k, len(gallery)):
        probes += 1
    cell = np.empty(len(gallery), int)
    cell[cells.order] = np.repeat(np.arange(len(sizes)), sizes)
    unit = rows.unit_rows(queries)
    chosen = np.argsort(-rows.exact_scores(unit, cells.centroids), axis=1, kind="stable")
    probed = (cell == chosen[:, :probes, np.newaxis]).any(axis=1)
    all_scores = np.where(probed, rows.exact_scores(unit, gallery), -np.inf)
    # As many paddings, behind all others, as there may be.
    all_scores = np.pad(all_scores, ((0, 0), (0, k)), constant_values=-np.inf)
    order = np.argsort(-all_scores, axis=1, kind="stable")[:, :k]
    scores = np.take_along_axis(all_scores, order, axis=1).astype(np.float32)
    return scores, np.where(np.isfinite(scores), order, -1)


def _assert_same(found: tuple, expected: tuple) -> None:
    scores, indices = found
    assert scores.dtype == tf.float32 and indices.dtype == tf.int64
    np.testing.assert_array_equal(np.asarray(indices), expected[1])
    np.testing.assert_array_equal(np.asarray(scores), expected[0])


@pytest.mark.parametrize("k", [1, 40])
@pytest.mark.parametrize("size", [0, 1, 400])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_same_routing_in_numpy(kind: str, size: int, k: int, make_rows):
    rng = np.random.default_rng(size + k)
    gallery = _gallery(kind, size, make_rows, rng)
    queries = gallery[rng.integers(0, size, 6)] if size else make_rows(kind, 6, 24, rng)
    queries = queries + 1e-3 * rng.normal(size=queries.shape) if kind == "normal" else queries
    queries[3] = 0.0
    labels = rng.integers(0, 1 + size // 9, size)
    cells = class_cells(gallery, labels, bounds=(2, 20))
    for probes, piece_rows in PROBES_AND_PIECES:
        routed = RoutedGallery(gallery, cells, probes=probes, piece_rows=piece_rows)
        found = routed.nearest(tf.constant(queries), k)
        _assert_same(found, _routed(queries, gallery, cells, probes, k))


@pytest.mark.parametrize("k", [1, 40])
@pytest.mark.parametrize("size", [30, 700])
@pytest.mark.parametrize("kind", KINDS)
def test_all_cells_give_what_exact_search_gives(kind: str, size: int, k: int, make_rows):
    rng = np.random.default_rng(size)
    gallery = _gallery(kind, size, make_rows, rng)
    queries = tf.constant(make_rows(kind, 5, 24, rng))
    expected = tf_search.top_k_tf(queries, gallery, k, gallery_is_unit=True)
    for labels in (np.zeros(size), np.arange(size), np.arange(size) % 7):
        cells = class_cells(gallery, labels, bounds=(3, 16))
        every = len(cells.centroids)
        routed = RoutedGallery(gallery, cells, probes=every, piece_rows=32)
        _assert_same(routed.nearest(queries, k), expected)


def test_copies_rank_by_their_place_in_the_gallery():
    # In two cells, each with rows of the other between its own.
    right, up = [1.0, 0.0], [0.0, 1.0]
    gallery = rows.unit_rows([[1.0, 0.1], [0.1, 1.0], right, up, right, up, right])
    labels = np.array([0, 1, 1, 0, 0, 1, 1])
    cells = class_cells(gallery, labels, bounds=(1, 4))
    routed = RoutedGallery(gallery, cells, probes=2)
    assert routed.nearest(tf.constant([[3.0, 0.0]]), 5)[1].numpy().tolist() == [[2, 4, 6, 0, 1]]


def test_more_cells_are_probed_where_some_could_be_too_small():
    gallery = rows.unit_rows(np.random.default_rng(0).normal(size=(40, 24)))
    labels = np.concatenate([np.zeros(30), np.arange(1, 11)])
    cells = class_cells(gallery, labels, bounds=(1, 30))
    routed = RoutedGallery(gallery, cells, probes=2)
    assert [routed.probes_for(k) for k in (1, 2, 3, 10, 11, 40, 99)] == [2, 2, 3, 10, 11, 11, 11]
    for k in (1, 3, 12, 40):
        _, found = routed.nearest(tf.constant(gallery), k)
        assert (found.numpy() >= 0).all()


def test_a_query_gets_the_same_whatever_is_beside_it(make_rows):
    rng = np.random.default_rng(5)
    gallery = _gallery("near_ties", 900, make_rows, rng)
    cells = class_cells(gallery, np.arange(900) % 40)
    routed = RoutedGallery(gallery, cells, probes=3)
    queries = tf.constant(gallery[:50])
    together = routed.nearest(queries, 9)
    for i in (0, 17, 49):
        alone = routed.nearest(queries[i : i + 1], 9)
        _assert_same(alone, (together[0][i : i + 1], together[1][i : i + 1]))


class _Searcher(tf.Module):
    def __init__(self, gallery: RoutedGallery) -> None:
        super().__init__()
        self.gallery = gallery

    @tf.function(input_signature=[tf.TensorSpec([None, 24], tf.float32)])
    def search(self, queries: tf.Tensor) -> dict[str, tf.Tensor]:
        scores, indices = self.gallery.nearest(queries, 5)
        return {"scores": scores, "indices": indices}


@pytest.mark.parametrize("kind", KINDS)
def test_survives_a_saved_model(kind: str, tmp_path: pathlib.Path, make_rows):
    rng = np.random.default_rng(4)
    gallery = _gallery(kind, 300, make_rows, rng)
    cells = class_cells(gallery, np.arange(300) // 10, bounds=(2, 16))
    searcher = _Searcher(RoutedGallery(gallery, cells, probes=4, piece_rows=16))
    shapes = searcher.search.get_concrete_function().structured_outputs
    assert all(shape.shape.as_list() == [None, 5] for shape in shapes.values())
    tf.saved_model.save(searcher, str(tmp_path), signatures={"search": searcher.search})
    signature = tf.saved_model.load(str(tmp_path)).signatures["search"]
    for size in (0, 1, 13):
        queries = make_rows(kind, size, 24, rng).astype(np.float32)
        found = signature(tf.constant(queries))
        expected = _routed(queries, gallery, cells, 4, 5)
        _assert_same((found["scores"], found["indices"]), expected)


_PEAK = """
import resource
import numpy as np
import tensorflow as tf
from retrieval.cells import class_cells
from retrieval.rows import unit_rows
from retrieval.tf_routed_search import RoutedGallery

gallery = unit_rows(np.random.default_rng(0).normal(size=(60_000, 64)))
cells = class_cells(gallery, np.arange(60_000) % 300)
routed = RoutedGallery(gallery, cells, probes=300, piece_rows=1024)
search = tf.function(lambda queries: routed.nearest(queries, 5)[1])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
search(tf.constant(gallery[:1]))
before = peak()
found = search(tf.constant(gallery[:40]))
assert found[:, 0].numpy().tolist() == list(range(40))
print((peak() - before) // 1024)
"""


def test_memory_is_that_of_pieces():
    """Gathered whole, the rows of each query that is worked on would take the gallery's 15 MB."""
    output = subprocess.run(
        [sys.executable, "-c", _PEAK], check=True, capture_output=True, text=True
    ).stdout
    assert int(output) < 50


def test_a_query_that_is_not_finite_raises():
    gallery = rows.unit_rows(np.eye(2))
    routed = RoutedGallery(gallery, class_cells(gallery, [0, 1]), probes=1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="queries of top_k_tf"):
        routed.nearest(tf.constant([[np.nan, 1.0]]), 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"probes": 0}, "probes must be at least 1"),
        ({"piece_rows": 0}, "piece_rows must be at least 1"),
        ({"gallery": rows.unit_rows(np.eye(3))}, "cells are of 2 rows, the gallery has 3"),
        ({"k": 0}, "k must be at least 1"),
        ({"queries": [[1.0]]}, "queries have dim 1, gallery has dim 2"),
        ({"queries": [1.0, 0.0]}, r"queries must have shape \[rows, dim\]"),
    ],
)
def test_bad_arguments_are_named(arguments: dict, message: str):
    gallery = rows.unit_rows(np.eye(2))
    cells = class_cells(gallery, [0, 1])
    given: dict[str, Any] = {"gallery": gallery, "probes": 1, "k": 1, "queries": [[1.0, 0.0]]}
    given |= arguments
    queries, k = tf.constant(given.pop("queries")), given.pop("k")
    with pytest.raises(ValueError, match=message):
        RoutedGallery(given.pop("gallery"), cells, **given).nearest(queries, k)
