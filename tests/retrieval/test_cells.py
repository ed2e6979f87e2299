"""Cells cover the gallery, keep within their bounds, and hold what is alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval import cells, rows


def _members(found: cells.Cells) -> list[list[int]]:
    return [
        found.order[start:end].tolist()
        for start, end in zip(found.starts, found.starts[1:], strict=False)
    ]


def _check(found: cells.Cells, gallery: np.ndarray, largest: int) -> None:
    """Every row in one cell, cells within the bound, centroids their means' directions."""
    assert sorted(found.order.tolist()) == list(range(len(gallery)))
    members = _members(found)
    assert len(members) == len(found.centroids)
    assert found.starts[0] == 0 and found.starts[-1] == len(gallery)
    for cell, centroid in zip(members, found.centroids, strict=True):
        assert 1 <= len(cell) <= largest and cell == sorted(cell)
        mean = gallery[cell].astype(np.float64).sum(axis=0)
        length = np.linalg.norm(mean)
        np.testing.assert_allclose(centroid, mean / length if length else 0.0, atol=1e-6)


@given(
    sizes=st.lists(st.integers(1, 30), max_size=12),
    bounds=st.tuples(st.integers(0, 12), st.integers(1, 12)).map(sorted),
    seed=st.integers(0, 99),
)
def test_cells_cover_the_gallery_within_their_bounds(sizes: list[int], bounds: list, seed: int):
    bounds[1] = max(1, bounds[1])
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    gallery = rows.unit_rows(rng.integers(-1, 2, (len(labels), 3)))
    found = cells.class_cells(gallery, labels, bounds=(bounds[0], bounds[1]))
    _check(found, gallery, bounds[1])


def test_classes_between_the_bounds_are_cells():
    labels = np.array(["b", "a", "c", "a", "b", "a", "c"])
    gallery = rows.unit_rows(np.random.default_rng(0).normal(size=(7, 5)))
    found = cells.class_cells(gallery, labels, bounds=(2, 3))
    assert _members(found) == [[1, 3, 5], [0, 4], [2, 6]]


def test_a_large_class_is_split_where_it_falls_apart():
    rng = np.random.default_rng(1)
    lump = rng.permutation(np.repeat(np.arange(4), 25))
    gallery = rows.unit_rows(rng.normal(size=(4, 16))[lump] + 0.05 * rng.normal(size=(100, 16)))
    found = cells.class_cells(gallery, np.zeros(100, int), bounds=(1, 30))
    _check(found, gallery, 30)
    assert all(len(set(lump[cell])) == 1 for cell in _members(found))


def test_small_classes_that_are_alike_are_put_together():
    rng = np.random.default_rng(2)
    lump = rng.permutation(np.repeat(np.arange(4), 25))
    gallery = rows.unit_rows(rng.normal(size=(4, 16))[lump] + 0.05 * rng.normal(size=(100, 16)))
    found = cells.class_cells(gallery, np.arange(100), bounds=(2, 30))
    _check(found, gallery, 30)
    assert len(found.centroids) < 20
    assert all(len(set(lump[cell])) == 1 for cell in _members(found))


@pytest.mark.parametrize("labels", [np.zeros(5000, int), np.arange(5000)], ids=["one", "each"])
def test_rows_that_hardly_differ_are_divided_too(labels: np.ndarray):
    rng = np.random.default_rng(3)
    same = np.ones((5000, 8)) + 1e-7 * rng.normal(size=(5000, 8))
    same[:20] = rng.normal(size=(20, 8))
    gallery = rows.unit_rows(same)
    found = cells.class_cells(gallery, labels, bounds=(4, 64))
    _check(found, gallery, 64)
    assert len(found.centroids) < 400


def test_the_same_input_gives_the_same_cells():
    gallery = rows.unit_rows(np.random.default_rng(4).normal(size=(500, 6)))
    one, other = (cells.class_cells(gallery, np.arange(500) % 3) for _ in range(2))
    np.testing.assert_array_equal(one.order, other.order)
    np.testing.assert_array_equal(one.starts, other.starts)
    np.testing.assert_array_equal(one.centroids, other.centroids)


def test_bounds_grow_with_the_gallery():
    assert cells.cell_bounds(0) == cells.cell_bounds(256**2) == (16, 256)
    assert cells.cell_bounds(4_000_000) == (125, 2000)


@pytest.mark.parametrize(
    ("labels", "bounds", "message"),
    [
        ([0, 1, 2], None, r"labels must have shape \(2,\)"),
        ([0, 1], (3, 2), "at least 3 and at most 2"),
        ([0, 1], (0, 0), "at least 0 and at most 0"),
    ],
)
def test_bad_arguments_are_named(labels: list, bounds: tuple | None, message: str):
    with pytest.raises(ValueError, match=message):
        cells.class_cells(rows.unit_rows(np.eye(2)), labels, bounds=bounds)
