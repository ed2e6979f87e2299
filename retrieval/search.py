"""Exact k-nearest-neighbour search by cosine, in NumPy, with bounded memory.

Not for metrics (`metrics.py`), nor for a served graph (`tf_search.py`, which gives the same
answers). Nothing here is approximate: use it up to some millions of rows.

A float32 GEMM scores a block of queries against a block of the gallery, and only scores above the
running k-th best are looked at again. A float32 GEMM cannot be trusted to rank scores that lie
within its rounding error (see `rows.py`), so a few spare candidates are kept, all candidates are
scored again exactly, and the rare query with more near ties than spares is searched again exactly.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from retrieval import rows

SPARE = 16
# Candidates' entries scored again at a time: few enough to stay in the processor's cache.
_RESCORE_ELEMENTS = 400_000

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def top_k(
    queries: npt.ArrayLike,
    gallery: npt.ArrayLike,
    k: int,
    *,
    query_ids: npt.ArrayLike | None = None,
    gallery_ids: npt.ArrayLike | None = None,
    block_rows: int = 4096,
    query_block_rows: int = 512,
) -> tuple[Floats, Ints]:
    """The k gallery rows with the highest cosine to each query, best first.

    Rows are L2-normalised here; a row of zeros has cosine 0 with everything. Equal scores rank by
    lower gallery index. A pair with equal ids is excluded, so leave-one-out search is
    `top_k(x, x, k, query_ids=ids, gallery_ids=ids)`. Where fewer than k rows remain, the rest of
    the row is score -inf, index -1. Block sizes and threads change no bit of the result.

    Args:
        queries: [Q, D] real numbers.
        gallery: [N, D] real numbers; N may be 0.
        k: How many neighbours, at least 1.
        query_ids: [Q] integers or strings; given together with `gallery_ids` or not at all.
        gallery_ids: [N], likewise.
        block_rows: Gallery rows scored at a time.
        query_block_rows: Queries scored at a time. Memory beyond inputs, their float32 unit rows
            and outputs is about 16 bytes * block_rows * query_block_rows.

    Returns:
        (scores, indices): float32 and int64, both [Q, k].

    Raises:
        ValueError: k < 1, a block size < 1, wrong shapes, different dims, NaN or infinity in a
            row (it is named), or ids for one side only.
        TypeError: ids that are floats, or bytes on one side and str on the other.

    >>> scores, indices = top_k([[1, 0]], [[0, 1], [2, 0], [1, 1]], k=2)
    >>> indices.tolist(), scores.round(3).tolist()
    ([[1, 2]], [[1.0, 0.7070000171661377]])
    >>> top_k([[1, 0]], [[0, 1], [2, 0]], k=2, query_ids=["b"], gallery_ids=["a", "b"])[1].tolist()
    [[0, -1]]
    """
    for name, value in (
        ("k", k),
        ("block_rows", block_rows),
        ("query_block_rows", query_block_rows),
    ):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if (query_ids is None) != (gallery_ids is None):
        raise ValueError("query_ids and gallery_ids must be given together")
    unit_queries, unit_gallery = rows.paired_unit_rows(queries, gallery)
    query_codes, gallery_codes = np.empty(0, np.int64), np.empty(0, np.int64)
    if query_ids is not None and gallery_ids is not None:
        query_codes, gallery_codes = rows.paired_codes(
            query_ids, gallery_ids, len(unit_queries), len(unit_gallery), "ids"
        )
    scores = np.empty((len(unit_queries), k), np.float32)
    indices = np.empty((len(unit_queries), k), np.int64)
    for start in range(0, len(unit_queries), query_block_rows):
        part = slice(start, start + query_block_rows)
        scores[part], indices[part] = _search_block(
            unit_queries[part], unit_gallery, k, query_codes[part], gallery_codes, block_rows
        )
    return scores, indices


def merge_top_k(
    scores_a: Floats, ids_a: Ints, scores_b: Floats, ids_b: Ints, k: int
) -> tuple[Floats, Ints]:
    """Merges the neighbours found in two parts of a gallery.

    The order (higher score, then lower id) is total, so merging is associative and commutative and
    the way a gallery was sharded cannot show. Padding (score -inf, id -1) stays last.

    Args:
        scores_a: float32, [Q, A].
        ids_a: Gallery indices, int64, [Q, A].
        scores_b: float32, [Q, B].
        ids_b: int64, [Q, B].
        k: Neighbours to keep; the result is padded if A + B < k.

    Returns:
        (scores, ids): float32 and int64, [Q, k].

    >>> s, i = merge_top_k(np.float32([[0.5, 0.1]]), np.array([[4, 9]]),
    ...                    np.float32([[0.5]]), np.array([[2]]), k=2)
    >>> i.tolist()
    [[2, 4]]
    """
    scores = np.concatenate([scores_a, scores_b], axis=1)
    ids = np.concatenate([ids_a, ids_b], axis=1)
    short = max(0, k - scores.shape[1])
    scores = np.pad(scores, ((0, 0), (0, short)), constant_values=-np.inf)
    ids = np.pad(ids, ((0, 0), (0, short)), constant_values=-1)
    order = np.lexsort((ids, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1)


def _search_block(
    queries: Floats, gallery: Floats, k: int, query_codes: Ints, gallery_codes: Ints, width: int
) -> tuple[Floats, Ints]:
    """`top_k` of one block of unit rows: fast scan, then exact scores of what it found."""
    spare = k + SPARE
    scores, ids = _scan(queries, gallery, spare, query_codes, gallery_codes, width, exact=False)
    with np.errstate(invalid="ignore"):  # -inf - -inf between two paddings
        gap = scores[:, k - 1] - scores[:, -1]
    crowded = gap <= rounding_tolerance(queries.shape[1])
    step = max(1, _RESCORE_ELEMENTS // (spare * queries.shape[1]))
    for start in range(0, len(queries) if len(gallery) else 0, step):
        part = slice(start, start + step)
        exact = _pair_scores(queries[part], gallery[ids[part]])
        exact[ids[part] < 0] = -np.inf
        order = np.lexsort((ids[part], -exact), axis=1)
        scores[part] = np.take_along_axis(exact, order, 1)
        ids[part] = np.take_along_axis(ids[part], order, 1)
    scores, ids = scores[:, :k], ids[:, :k]
    if crowded.any():
        codes = query_codes[crowded] if len(query_codes) else query_codes
        scores[crowded], ids[crowded] = _scan(
            queries[crowded], gallery, k, codes, gallery_codes, width, exact=True
        )
    return scores, ids


def _pair_scores(queries: Floats, found: Floats) -> Floats:
    """`rows.exact_scores` of each query [Q, D] with its own candidates [Q, K, D]: [Q, K]."""
    product = np.einsum("qkd,qd->qk", found, queries, dtype=np.float64)
    return (product + 0.0).astype(np.float32)


def rounding_tolerance(dim: int) -> float:
    """The gap below which two float32 GEMM scores of unit rows may be in the wrong order.

    Rounding errors of `dim` additions of numbers below 1 grow like sqrt(dim); this is several
    times what was measured.
    """
    return float(2.0**-23 * (4.0 + dim**0.5))


def _scan(
    queries: Floats,
    gallery: Floats,
    k: int,
    query_codes: Ints,
    gallery_codes: Ints,
    width: int,
    *,
    exact: bool,
) -> tuple[Floats, Ints]:
    """Top k by the scores of one pass over the gallery, sorted by (-score, index)."""
    best = np.full((len(queries), k), -np.inf, np.float32)
    ids = np.full((len(queries), k), -1, np.int64)
    buffer = np.empty((len(queries), min(width, max(len(gallery), 1))), np.float32)
    seen = 0
    for start in range(0, len(gallery), width):
        block = gallery[start : start + width]
        if exact:
            scores = rows.exact_scores(queries, block)
        else:
            scores = buffer if len(block) == buffer.shape[1] else np.empty_like(buffer)
            scores = np.matmul(queries, block.T, out=scores[:, : len(block)])
        if len(query_codes):
            scores[rows.equal_pairs(query_codes, gallery_codes[start : start + width])] = -np.inf
        # Pieces as long as what was seen so far bring about k candidates each: no piece is sorted
        # whole, and the number of merges grows with log(N / k).
        column = 0
        while column < len(block):
            end = min(len(block), column + max(seen, 2 * k, 256))
            best, ids = _merge_piece(best, ids, scores[:, column:end], start + column)
            seen += end - column
            column = end
    order = np.argsort(-best, axis=1, kind="stable")
    return np.take_along_axis(best, order, 1), np.take_along_axis(ids, order, 1)


def _merge_piece(best: Floats, ids: Ints, piece: Floats, offset: int) -> tuple[Floats, Ints]:
    """Puts the piece's scores that beat the running k-th best into the running list.

    The list [Q, k] is kept by ascending gallery index, not by score. All of the piece lies behind
    it, so an equal score loses (strictly greater is right), and of the scores equal to the new
    k-th best the leftmost stay.
    """
    row, column = np.nonzero(piece > best.min(axis=1, keepdims=True))
    if not row.size:
        return best, ids
    counts = np.bincount(row, minlength=len(best))
    hit = np.flatnonzero(counts)
    k, extra = best.shape[1], int(counts.max())
    slot = k + rows.within_group(counts)
    place = (np.cumsum(counts > 0) - 1)[row]
    wide = np.full((len(hit), k + extra), -np.inf, np.float32)
    wide_ids = np.full((len(hit), k + extra), -1, np.int64)
    wide[:, :k], wide_ids[:, :k] = best[hit], ids[hit]
    wide[place, slot] = piece[row, column]
    wide_ids[place, slot] = column + offset
    kth = np.partition(wide, extra, axis=1)[:, extra, None]
    keep, equal = wide > kth, wide == kth
    keep |= equal & (np.cumsum(equal, axis=1) <= k - keep.sum(axis=1, keepdims=True))
    best[hit] = wide[keep].reshape(-1, k)
    ids[hit] = wide_ids[keep].reshape(-1, k)
    return best, ids
