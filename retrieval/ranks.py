"""Finds at which rank each relevant gallery item of a query comes, by counting what is ahead of it.

Not for metrics as such: `metrics.py` computes all of them from these ranks. Not for search either:
only relevant items are ranked, so neither an N x N matrix nor an N x N list of indices exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from retrieval import rows
from retrieval.parallel import cores, in_threads

Ints = npt.NDArray[np.int64]

# Of each thread, which takes some 25 bytes for each, and threads at most.
_STRIP_ELEMENTS, MOST_THREADS = 4_000_000, 4
_STRIP_QUERIES = 512
# A sort key is query (18 bits), score (32 bits), column of the block (13 bits).
_BLOCK_COLUMNS = 4096
_COLUMN_BITS, _SCORE_BITS = 13, 32
MOST_QUERIES = 2**18 - 1


class RelevantRanks(NamedTuple):
    """Ranks of relevant items.

    Attributes:
        query: Which query each rank belongs to, int64, [P], ascending.
        rank: From 1, int64, [P], ascending within a query.
        relevant: R, the number of relevant items of each query, int64, [Q].
        nearest: Rank of the nearest relevant item of each query, int64, [Q]; 0 without one.
    """

    query: Ints
    rank: Ints
    relevant: Ints
    nearest: Ints


class Comparison(NamedTuple):
    """Queries and a gallery, ready to be compared.

    Attributes:
        queries: Unit rows, float32 [Q, D].
        gallery: Unit rows, float32 [N, D].
        labels: Codes of the queries [Q] and the gallery [N], see `rows.paired_codes`.
        ids: Likewise, or None to exclude nothing.
    """

    queries: npt.NDArray[np.float32]
    gallery: npt.NDArray[np.float32]
    labels: tuple[Ints, Ints]
    ids: tuple[Ints, Ints] | None


def comparison(
    query_embeddings: npt.ArrayLike,
    query_labels: npt.ArrayLike,
    query_ids: npt.ArrayLike | None,
    gallery_embeddings: npt.ArrayLike,
    gallery_labels: npt.ArrayLike,
    gallery_ids: npt.ArrayLike | None,
) -> Comparison:
    """Checks and prepares what is compared.

    Args:
        query_embeddings: [Q, D] real numbers.
        query_labels: [Q] integers or strings.
        query_ids: [Q] integers or strings, or None to exclude nothing.
        gallery_embeddings: [N, D].
        gallery_labels: [N].
        gallery_ids: [N], or None.

    Raises:
        ValueError: wrong shapes, different dims, NaN or infinity, ids for one side only.
        TypeError: labels or ids are floats, or bytes on one side and str on the other.
    """
    queries, gallery = rows.paired_unit_rows(query_embeddings, gallery_embeddings)
    sizes = len(queries), len(gallery)
    labels = rows.paired_codes(query_labels, gallery_labels, *sizes, "labels")
    ids = None
    if (query_ids is None) != (gallery_ids is None):
        raise ValueError("query_ids and gallery_ids must be given together")
    if query_ids is not None and gallery_ids is not None:
        ids = rows.paired_codes(query_ids, gallery_ids, *sizes, "ids")
    return Comparison(queries, gallery, labels, ids)


def relevant_ranks(compared: Comparison) -> Iterator[RelevantRanks]:
    """Ranks every gallery item that has the query's label, some queries at a time.

    The rank of an item is 1 plus the number of items with a higher cosine, or with the same cosine
    and a lower gallery index. A pair with equal ids is neither ranked nor counted. Scores are the
    exact ones of `rows.exact_scores`, so the result does not depend on how queries are batched.

    Yields:
        The ranks of consecutive queries, counted from 0 each time.

    >>> pair = [[1, 0]], [7], None, [[1, 0], [1, 1], [0, 1]], [8, 7, 7], None
    >>> [part.rank.tolist() for part in relevant_ranks(comparison(*pair))]
    [[2, 3]]
    """
    queries, gallery, labels, ids = compared
    strip = int(np.clip(_STRIP_ELEMENTS // max(1, len(gallery)), 1, _STRIP_QUERIES))

    def rank_strip(start: int) -> RelevantRanks:
        part = slice(start, start + strip)
        query, item = rows.equal_pairs(labels[0][part], labels[1])
        excluded = None
        if ids is not None:
            excluded = rows.equal_pairs(ids[0][part], ids[1])
            keep = ids[0][part][query] != ids[1][item]
            query, item = query[keep], item[keep]
        own = queries[part]
        scores = exact_scores(own, gallery, excluded)
        rank = 1 + count_ahead(scores, query, scores[query, item], item)
        order = np.lexsort((rank, query))
        return of_sorted(query[order], rank[order], len(own))

    return in_threads(rank_strip, range(0, len(queries), strip), min(cores(), MOST_THREADS))


def of_sorted(query: Ints, rank: Ints, count: int) -> RelevantRanks:
    """Ranks [P] of `count` queries, ascending by query and then by rank."""
    relevant = np.bincount(query, minlength=count)
    nearest = np.zeros(count, np.int64)
    nearest[relevant > 0] = rank[(np.cumsum(relevant) - relevant)[relevant > 0]]
    return RelevantRanks(query, rank, relevant, nearest)


def exact_scores(
    queries: npt.NDArray[np.float32],
    gallery: npt.NDArray[np.float32],
    excluded: tuple[Ints, Ints] | None,
) -> npt.NDArray[np.float32]:
    """`rows.exact_scores` in blocks; -inf for the excluded pairs (query, item)."""
    scores = np.empty((len(queries), len(gallery)), np.float32)
    for start in range(0, len(gallery), _BLOCK_COLUMNS):
        part = slice(start, start + _BLOCK_COLUMNS)
        scores[:, part] = rows.exact_scores(queries, gallery[part])
    if excluded is not None:
        scores[excluded] = -np.inf
    return scores


def count_ahead(
    scores: npt.NDArray[np.float32], query: Ints, score: npt.NDArray[np.float32], place: Ints
) -> Ints:
    """Counts the items that come before others in the rankings of queries.

    Args:
        scores: Of Q queries with N items, float32 [Q, N], Q at most `MOST_QUERIES`.
        query: For each of P others, which query it belongs to, [P].
        score: Its score, float32 [P].
        place: Before which of the N items it stands where scores are equal, 0 … N, [P].

    Returns:
        For each of them the number of items with a higher score, or with the same and an index
        below `place`; int64 [P].

    >>> scores = np.float32([[0.5, 0.9, 0.5]])
    >>> count_ahead(scores, np.array([0]), np.float32([0.5]), np.array([2])).tolist()
    [2]
    """
    count = np.zeros(len(query), np.int64)
    if not len(query):
        return count
    own = (query << (_COLUMN_BITS + _SCORE_BITS)) | _descending(score)
    prefix = np.arange(len(scores), dtype=np.int64)[:, None] << (_COLUMN_BITS + _SCORE_BITS)
    for start in range(0, scores.shape[1], _BLOCK_COLUMNS):
        block = scores[:, start : start + _BLOCK_COLUMNS]
        width = block.shape[1]
        keys = _descending(block) | prefix | np.arange(width)
        keys.sort(axis=1)
        # Seen from a block behind the item, equal scores lose; from one before it, they win.
        ahead = np.searchsorted(keys.reshape(-1), own | np.clip(place - start, 0, width))
        count += ahead - query * width
    return count


def _descending(scores: npt.NDArray[np.float32]) -> Ints:
    """Keys that ascend where scores descend, with room for a column below them.

    The bits of a float, read as a sign-magnitude integer, order like the float.
    """
    bits = (-scores).view(np.int32)
    ordered = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
    return (ordered.astype(np.int64) + (1 << 31)) << _COLUMN_BITS
