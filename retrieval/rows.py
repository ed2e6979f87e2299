"""Prepares what search and metrics compare: unit rows, and integer codes of ids and labels.

Not for searching (`search.py`) nor for scoring a ranking (`ranks.py`, `metrics.py`).

Unit rows lie on a fixed-point grid. A BLAS adds the products of an inner product in an order that
depends on where a row sits in a block, so two identical gallery rows can get scores that differ in
the last bit, and a tie is then decided by chance. Entries that are multiples of 2**-24 are float32
numbers, and a float64 sum of their products (multiples of 2**-48, at most 1 in total) is exact in
every order: whoever needs a decision that no blocking, sharding, thread count or BLAS can change
takes `exact_scores`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

GRID = 2.0**24
_NORMALISE_ROWS = 4096


def real_matrix(values: npt.ArrayLike, name: str) -> npt.NDArray[np.generic]:
    """Returns values as a matrix [N, D] of real numbers.

    Raises:
        ValueError: They are none, or D is 0.
    """
    array = np.asarray(values)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"{name} must have shape [rows, dim] with dim >= 1, got {array.shape}")
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise ValueError(f"{name} must hold real numbers, got dtype {array.dtype}")
    return array


def check_same_dim(queries: npt.NDArray[np.generic], gallery: npt.NDArray[np.generic]) -> None:
    """Raises ValueError if the rows of two matrices differ in length."""
    if queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"queries have dim {queries.shape[1]}, gallery has dim {gallery.shape[1]}")


def unit_rows(rows: npt.ArrayLike, name: str = "embeddings") -> npt.NDArray[np.float32]:
    """L2-normalises rows and rounds them to multiples of 2**-24.

    A row of zeros has no direction and stays zero: its cosine with everything is 0.

    Args:
        rows: Real numbers, [N, D], D >= 1.
        name: What to call the array in an error.

    Returns:
        float32, [N, D].

    Raises:
        ValueError: `rows` is not a matrix of numbers, or row i of it holds NaN or infinity.

    >>> unit_rows([[3.0, 4.0], [0.0, 0.0]]).round(3).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    array = real_matrix(rows, name)
    result = np.empty(array.shape, np.float32)
    for start in range(0, len(array), _NORMALISE_ROWS):
        block = array[start : start + _NORMALISE_ROWS].astype(np.float64)
        # Dividing by the largest entry first keeps the squares of extreme values in range.
        largest = np.abs(block).max(axis=1, keepdims=True)
        bad = np.flatnonzero(~np.isfinite(largest[:, 0]))
        if bad.size:
            raise ValueError(f"{name} row {start + bad[0]} holds NaN or infinity")
        block /= np.where(largest > 0, largest, 1.0)
        norm = np.sqrt(np.einsum("nd,nd->n", block, block))[:, None]
        block *= GRID / np.where(norm > 0, norm, 1.0)
        result[start : start + len(block)] = np.rint(block) / GRID
    return result


def exact_scores(
    queries: npt.NDArray[np.float32], gallery: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Cosines of unit rows, the same on every machine and in every blocking.

    Args:
        queries: Result of `unit_rows`, float32, [Q, D].
        gallery: Result of `unit_rows`, float32, [N, D].

    Returns:
        float32, [Q, N]: the exact inner products, rounded once.
    """
    product = queries.astype(np.float64) @ gallery.astype(np.float64).T
    # Adding zero turns -0.0 into 0.0, which sorts alike everywhere.
    return (product + 0.0).astype(np.float32)


def paired_unit_rows(
    queries: npt.ArrayLike, gallery: npt.ArrayLike
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """`unit_rows` of both sides, normalising only once where both are the same array.

    Raises:
        ValueError: see `unit_rows`; or the two sides differ in dim.
    """
    unit_queries = unit_rows(queries, "queries")
    unit_gallery = unit_queries if gallery is queries else unit_rows(gallery, "gallery")
    check_same_dim(unit_queries, unit_gallery)
    return unit_queries, unit_gallery


def paired_codes(
    query_values: npt.ArrayLike,
    gallery_values: npt.ArrayLike,
    query_rows: int,
    gallery_rows: int,
    name: str,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Codes ids or labels as int64, so that codes are equal where values are.

    Args:
        query_values: Any hashable values, [query_rows].
        gallery_values: Likewise, [gallery_rows].
        query_rows: How many values there must be.
        gallery_rows: Likewise.
        name: "ids" or "labels", for errors.

    Returns:
        Two int64 arrays, [query_rows] and [gallery_rows].

    Raises:
        ValueError: a wrong shape.
        TypeError: one side holds bytes and the other str (they would never be equal), floats
            (ids above 2**53 alias), or something that cannot be hashed.
    """
    sides = np.asarray(query_values), np.asarray(gallery_values)
    for side, array, rows in zip(
        ("query", "gallery"), sides, (query_rows, gallery_rows), strict=True
    ):
        if array.shape != (rows,):
            raise ValueError(f"{side}_{name} must have shape ({rows},), got {array.shape}")
        # NumPy takes an empty list for floats.
        if array.dtype.kind == "f" and array.size:
            raise TypeError(f"{side}_{name} must be integers or strings, got {array.dtype}")
    # uint64 does not fit into int64, so it goes through the dictionary below.
    if all(array.dtype.kind in "iub" and array.dtype != np.uint64 for array in sides):
        return sides[0].astype(np.int64), sides[1].astype(np.int64)
    values: list[list[Any]] = [array.tolist() for array in sides]
    kinds = set(map(type, values[0])) | set(map(type, values[1]))
    if bytes in kinds and str in kinds:
        raise TypeError(f"query_{name} and gallery_{name} mix bytes and str: decode one of them")
    codes: dict[Hashable, int] = {}
    try:
        return _codes(values[0], codes), _codes(values[1], codes)
    except TypeError as error:
        raise TypeError(f"{name} must be hashable: {error}") from error


def _codes(values: Iterable[Hashable], codes: dict[Hashable, int]) -> npt.NDArray[np.int64]:
    return np.array([codes.setdefault(value, len(codes)) for value in values], np.int64)


def equal_pairs(
    left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All (i, j) with left[i] == right[j], by i and then by j.

    >>> [a.tolist() for a in equal_pairs(np.array([7, 5, 7]), np.array([5, 7, 8, 7]))]
    [[0, 0, 1, 2, 2], [1, 3, 0, 1, 3]]
    """
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    first = np.searchsorted(ordered, left, "left")
    counts = np.searchsorted(ordered, left, "right") - first
    rows = np.repeat(np.arange(len(left)), counts)
    return rows, order[np.repeat(first, counts) + within_group(counts)]


def within_group(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """0, 1, … counts[i] - 1 for each i in turn.

    >>> within_group(np.array([2, 0, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) - np.repeat(ends - counts, counts)
