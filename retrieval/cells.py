"""Divides a gallery into cells: its classes, large ones split and small ones put together.

Not for searching (`tf_routed_search.py`), nor for judging an embedding (`clustering.py`). Cells are
what a routed search passes over or looks into as a whole, so the rows of one should be alike, and
neither they nor the cells should be too many.

A class is a cell that costs nothing to find, and training has made a lump of it. A class above a
bound is divided by spherical k-means (Dhillon and Modha, "Concept Decompositions for Large Sparse
Text Data Using Clustering", Machine Learning 2001). Classes so small that to compare with their
centroids would cost more than to look at their rows are put together by the same, over their
centroids. It works on samples and takes few steps: cells need not be the best there are.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from retrieval import rows
from retrieval.similarity import Floats

Ints = npt.NDArray[np.int64]

_STEPS = 6
# Points for each cluster that its centre is found from.
_SAMPLE = 64
# Scores of points with centres, and rows that are added up, in memory at a time.
_SCORES, _ROWS = 2**22, 65_536
# Where k-means leaves more than this share in one cluster, the points hardly differ.
_LUMP = 0.9


class Cells(NamedTuple):
    """A division of a gallery.

    Attributes:
        order: Gallery indices, cell by cell, ascending within each, int64 [N].
        starts: Where each of the C cells begins in that order, and N at the end, int64 [C + 1].
        centroids: Means of the cells' rows, as unit rows, float32 [C, D].
    """

    order: Ints
    starts: Ints
    centroids: Floats


def cell_bounds(size: int) -> tuple[int, int]:
    """Rows below which classes are put together, and rows that a cell has at most.

    A query is compared with all centroids and then with the rows of some cells; with √N rows a cell
    both grow as √N. docs/benchmarks.md has what other bounds gave.

    Args:
        size: Rows of the gallery, N.

    >>> cell_bounds(1_000_000), cell_bounds(10_000)
    ((62, 1000), (16, 256))
    """
    largest = max(256, math.isqrt(size))
    return largest // 16, largest


def class_cells(
    gallery: Floats, labels: npt.ArrayLike, *, bounds: tuple[int, int] | None = None
) -> Cells:
    """Cells of classes.

    Args:
        gallery: Result of `rows.unit_rows`, float32, [N, D].
        labels: Integers or strings, [N].
        bounds: Rows below which classes are put together, and rows that a cell has at most; those
            of `cell_bounds` by default.

    Returns:
        The division, the same for the same input on one machine; some cells may be smaller than the
        lower bound.

    Raises:
        ValueError: A wrong shape; an upper bound below 1 or below the lower.

    >>> gallery = rows.unit_rows([[1, 0], [0, 1], [1, 0.1], [0.1, 1], [1, 0.2], [0.2, 1]])
    >>> cells = class_cells(gallery, ["a", "b", "a", "b", "c", "d"], bounds=(1, 2))
    >>> cells.order.tolist(), cells.starts.tolist()
    ([0, 2, 1, 3, 4, 5], [0, 2, 4, 5, 6])
    """
    smallest, largest = bounds or cell_bounds(len(gallery))
    if largest < max(1, smallest):
        raise ValueError(f"a cell cannot have at least {smallest} and at most {largest} rows")
    classes, codes = np.unique(np.asarray(labels), return_inverse=True)
    if codes.shape != (len(gallery),):
        raise ValueError(f"labels must have shape ({len(gallery)},), got {codes.shape}")
    sizes = np.bincount(codes, minlength=len(classes))
    # Numbers of cells; those of classes that are divided or put together are given up.
    cell, next_cell = codes.astype(np.int64), len(classes)

    small = np.flatnonzero(sizes < smallest)
    if len(small):
        place = np.full(len(classes), -1)
        place[small] = np.arange(len(small))
        members = np.flatnonzero(place[codes] >= 0)
        means = _directions(_sums(gallery, members, place[codes[members]]))
        group_of = np.empty(len(small), np.int64)
        for group in _divided(means, sizes[small], largest):
            group_of[group] = next_cell
            next_cell += 1
        cell[members] = group_of[place[codes[members]]]
    by_class = np.argsort(codes, kind="stable")
    ends = np.cumsum(sizes)
    for large in np.flatnonzero(sizes > largest):
        members = by_class[ends[large] - sizes[large] : ends[large]]
        for group in _divided(gallery[members], np.ones(len(members), np.int64), largest):
            cell[members[group]] = next_cell
            next_cell += 1

    _, cell = np.unique(cell, return_inverse=True)
    order = np.argsort(cell, kind="stable")
    starts = np.append(0, np.cumsum(np.bincount(cell))).astype(np.int64)
    return Cells(order, starts, _directions(_sums(gallery, np.arange(len(gallery)), cell)))


def _directions(sums: npt.NDArray[np.float64]) -> Floats:
    return rows.unit_rows(sums, "sums of rows")


def _sums(
    points: Floats, members: Ints, group: Ints, weights: Ints | None = None
) -> npt.NDArray[np.float64]:
    """Sums of some points by group, float64 [G, D].

    Args:
        points: [N, D].
        members: Which points, [M].
        group: The group of each, 0 … G - 1, none of them empty, [M].
        weights: How often each counts, [M]; once by default.
    """
    order = np.argsort(group, kind="stable")
    members, group = members[order], group[order]
    sums = np.zeros((int(group[-1]) + 1 if len(group) else 0, points.shape[1]))
    for start in range(0, len(members), _ROWS):
        part = slice(start, start + _ROWS)
        added = points[members[part]].astype(np.float64)
        if weights is not None:
            added *= weights[order[part], np.newaxis]
        present, first = np.unique(group[part], return_index=True)
        sums[present] += np.add.reduceat(added, first, axis=0)
    return sums


def _divided(points: Floats, weights: Ints, largest: int) -> list[Ints]:
    """Groups of points whose weights add up to `largest` at most, or that are one point."""
    groups, waiting = [], [np.arange(len(points))]
    while waiting:
        members = waiting.pop()
        weight = int(weights[members].sum())
        if weight <= largest or len(members) == 1:
            groups.append(members)
            continue
        clusters = min(len(members), -(-2 * weight // largest))
        cluster = _clusters(points[members], weights[members], clusters)
        if np.bincount(cluster).max() > _LUMP * len(members):
            cluster = np.arange(len(members)) * 2 // len(members)
        waiting += [members[cluster == number] for number in np.unique(cluster)]
    return groups


def _clusters(points: Floats, weights: Ints, clusters: int) -> Ints:
    """Cluster of each point by spherical k-means; some may be left empty."""
    sample = np.random.default_rng(0).permutation(len(points))[: _SAMPLE * clusters]
    centers = points[sample[:clusters]]
    for _ in range(_STEPS):
        _, cluster = np.unique(_nearest(points[sample], centers), return_inverse=True)
        centers = _directions(_sums(points, sample, cluster, weights[sample]))
    return _nearest(points, centers)


def _nearest(points: Floats, centers: Floats) -> Ints:
    """The center with the largest product for each point."""
    step = max(1, _SCORES // len(centers))
    parts = [points[i : i + step] @ centers.T for i in range(0, len(points), step)]
    return np.concatenate([part.argmax(axis=1) for part in parts])
