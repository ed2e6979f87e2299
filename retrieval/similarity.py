"""The similarities that images can be compared by, and their exact scores.

Not for searching (`search.py`), nor for the approximate scores by which a search passes over most
of a gallery (`screen.py`).

===================== ====================== =================================================
name                  score, higher is nearer rows
===================== ====================== =================================================
``cosine``            q · g / (‖q‖ ‖g‖)       unit rows on a grid, see `rows.py`; zero rows stay
``dot``               q · g                   as they are, in float32
``squared_euclidean`` −‖q − g‖²               as they are, in float32
===================== ====================== =================================================

A score is computed in float64 from the two float32 rows alone and rounded once to float32, so that
how a gallery was cut into blocks or shards cannot change it, and equal rows have equal scores.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from retrieval import rows

Similarity = Literal["cosine", "dot", "squared_euclidean"]
Floats = npt.NDArray[np.float32]

# Norms below this keep products within float32.
LONGEST = 1e18
# Entries that are compared at a time: few enough to stay in a core's cache, in float64.
CACHED_ELEMENTS = 100_000
# einsum cuts longer rows where its buffer of 8192 numbers ends, which depends on their place.
_COLUMNS = 4096


def check(similarity: str) -> None:
    """Raises ValueError for a name that is no similarity."""
    if similarity not in get_args(Similarity):
        names = ", ".join(get_args(Similarity))
        raise ValueError(f"similarity must be one of {names}; got {similarity!r}")


def comparable_rows(
    queries: npt.ArrayLike, gallery: npt.ArrayLike, similarity: Similarity
) -> tuple[Floats, Floats]:
    """What a similarity compares: unit rows for the cosine, float32 rows for the others.

    Args:
        queries: [Q, D] real numbers.
        gallery: [N, D] real numbers.
        similarity: See above.

    Returns:
        float32, [Q, D] and [N, D]; one array twice where one was given twice.

    Raises:
        ValueError: An unknown similarity, no matrix of numbers, different dims, NaN or infinity in
            a row, or a row of norm 1e18 or more (it is named).
    """
    check(similarity)
    if similarity == "cosine":
        return rows.paired_unit_rows(queries, gallery)
    left = _float32_rows(queries, "queries")
    right = left if gallery is queries else _float32_rows(gallery, "gallery")
    rows.check_same_dim(left, right)
    return left, right


def _float32_rows(values: npt.ArrayLike, name: str) -> Floats:
    array = rows.real_matrix(values, name)
    with np.errstate(over="ignore"):
        result = np.ascontiguousarray(array, np.float32)
    squares = np.einsum("nd,nd->n", result, result, dtype=np.float64)
    bad = np.flatnonzero(~(squares < LONGEST**2))
    if bad.size:
        raise ValueError(f"{name} row {bad[0]} holds NaN or infinity, or is longer than 1e18")
    return result


def pair_scores(queries: Floats, found: Floats, similarity: Similarity) -> Floats:
    """Scores each query with rows of its own.

    Args:
        queries: Of `comparable_rows`, [Q, D].
        found: Likewise, [Q, K, D].
        similarity: That of the rows.

    Returns:
        float32, [Q, K].

    >>> pair_scores(np.float32([[1, 2]]), np.float32([[[1, 2], [3, 0]]]), "squared_euclidean")
    array([[ 0., -8.]], dtype=float32)
    """
    # Along one axis and with operands of one kind, einsum adds in an order that depends on D alone.
    product = np.zeros(found.shape[:2])
    for start in range(0, queries.shape[1], _COLUMNS):
        part = slice(start, start + _COLUMNS)
        wide, own = found[..., part].astype(np.float64), queries[:, part].astype(np.float64)
        if similarity == "squared_euclidean":
            wide -= own[:, None]
            product -= np.einsum("qkd,qkd->qk", wide, wide)
        else:
            product += np.einsum("qkd,qd->qk", wide, own)
    # Adding zero turns -0.0 into 0.0, which sorts alike everywhere.
    return (product + 0.0).astype(np.float32)


def all_scores(queries: Floats, gallery: Floats, similarity: Similarity) -> Floats:
    """Scores every query with every gallery row, bit for bit as `pair_scores`.

    Slow but for the cosine, where any order of additions is exact.

    Args:
        queries: Of `comparable_rows`, [Q, D].
        gallery: Likewise, [N, D].
        similarity: That of the rows.

    Returns:
        float32, [Q, N].
    """
    if similarity == "cosine":
        return rows.exact_scores(queries, gallery)
    scores = np.empty((len(queries), len(gallery)), np.float32)
    step = max(1, CACHED_ELEMENTS // queries.shape[1])
    for row, query in enumerate(queries):
        for start in range(0, len(gallery), step):
            part = slice(start, start + step)
            scores[row, part] = pair_scores(query[None], gallery[None, part], similarity)[0]
    return scores


def listed_scores(
    queries: Floats, gallery: Floats, listed: npt.NDArray[np.int64], similarity: Similarity
) -> Floats:
    """Scores each query with the gallery rows listed for it.

    Args:
        queries: Of `comparable_rows`, [Q, D].
        gallery: Likewise, [N, D], N at least 1.
        listed: Gallery indices, int64 [Q, K]; -1 for none.
        similarity: That of the rows.

    Returns:
        float32, [Q, K]; -inf for none.
    """
    scores = np.full(listed.shape, -np.inf, np.float32)
    most = max(1, CACHED_ELEMENTS // queries.shape[1])
    step = max(1, most // max(1, listed.shape[1]))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        for first in range(0, listed.shape[1], most):
            places = slice(first, first + most)
            # Clipping is quicker than looking for indices that are out of bounds.
            found = gallery.take(listed[part, places], axis=0, mode="clip")
            scores[part, places] = pair_scores(queries[part], found, similarity)
    scores[listed < 0] = -np.inf
    return scores
