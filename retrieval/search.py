"""Exact k-nearest-neighbour search in NumPy, with bounded memory.

Not for metrics (`metrics.py`), nor for a served graph (`tf_search.py`, which gives the same
answers). Nothing here is approximate: use it up to some millions of rows.

Blocks of queries meet blocks of the gallery in a fast product that may be a little wrong
(`screen.py`). What lies above the k-th best so far, or below it by no more than the proven error,
becomes a candidate (`candidates.py`), and candidates alone are scored exactly (`similarity.py`).
The rare query with too many near ties to list is searched again with a finer screen, and at last
with exact scores only.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from retrieval import order, rows, similarity
from retrieval.candidates import Candidates
from retrieval.parallel import cores, in_threads
from retrieval.screen import Float32Screen
from retrieval.screen_choice import ScreenName, choose_screen
from retrieval.similarity import Floats, Similarity

Ints = npt.NDArray[np.int64]

# Rows of a block where memory allows, and the bytes that a pair in it takes.
_GALLERY_BLOCK, _QUERY_BLOCK, _PAIR_BYTES = 8192, 256, 6
# Lists of candidates hold k and as many again, and some; an entry of a list takes, with what is
# made of it while lists are weeded out and scored, so many bytes.
_LIST_SPARE, _ENTRY_BYTES = 512, 48
# Memory below which blocks become too small for another thread to help.
_THREAD_MB = 32
# Pairs of a query that are left out of the lists; where there are more, they are left out before.
_FEW_EXCLUDED = 16
# A list may grow to this share of the gallery; beyond, products with all of it cost less.
_LIST_SHARE = 16
# Gallery rows from which the first thresholds are taken.
_FIRST_PIECE = 4096


class Nearest(NamedTuple):
    """Neighbours of some queries.

    Attributes:
        queries: Which, a slice of all of them.
        scores: float32, [B, k], best first; -inf where there are fewer.
        indices: Of the gallery, int64, [B, k]; -1 where there are fewer.
    """

    queries: slice
    scores: Floats
    indices: Ints


def top_k(
    queries: npt.ArrayLike,
    gallery: npt.ArrayLike,
    k: int,
    *,
    query_ids: npt.ArrayLike | None = None,
    gallery_ids: npt.ArrayLike | None = None,
    metric: Similarity = "cosine",
    memory_mb: float = 256,
    screen: ScreenName = "auto",
) -> tuple[Floats, Ints]:
    """The k gallery rows nearest to each query, best first.

    For the cosine, rows are L2-normalised here; a row of zeros has cosine 0 with everything. Equal
    scores rank by lower gallery index. A pair with equal ids is excluded, so leave-one-out search
    is `top_k(x, x, k, query_ids=ids, gallery_ids=ids)`. Where fewer than k rows remain, the rest of
    the row is score -inf, index -1. Memory, threads and screen change no bit of the result.

    Args:
        queries: [Q, D] real numbers.
        gallery: [N, D] real numbers; N may be 0.
        k: How many neighbours, at least 1.
        query_ids: [Q] integers or strings; given together with `gallery_ids` or not at all.
        gallery_ids: [N], likewise.
        metric: What is compared, see `similarity.py`; scores of "squared_euclidean" are negative
            squared distances.
        memory_mb: Working memory in megabytes beyond the result and the rows in the formats that
            are compared, 4 bytes an entry, and 2 for bfloat16 or 4 more for "squared_euclidean".
        screen: Format of the fast products; "auto" measures which is faster.

    Returns:
        (scores, indices): float32 and int64, both [Q, k].

    Raises:
        ValueError: k < 1, too little memory, an unknown name, wrong shapes, different dims, NaN or
            infinity in a row (it is named), or ids for one side only.
        TypeError: ids that are floats, or bytes on one side and str on the other.

    >>> scores, indices = top_k([[1, 0]], [[0, 1], [2, 0], [1, 1]], k=2)
    >>> indices.tolist(), scores.round(3).tolist()
    ([[1, 2]], [[1.0, 0.7070000171661377]])
    >>> top_k([[1, 0]], [[0, 1], [2, 0]], k=2, query_ids=["b"], gallery_ids=["a", "b"])[1].tolist()
    [[0, -1]]
    >>> top_k([[1, 0]], [[0, 1], [2, 0], [1, 1]], k=2, metric="squared_euclidean")[0].tolist()
    [[-1.0, -1.0]]
    """
    blocks = nearest_blocks(
        queries,
        gallery,
        k,
        query_ids=query_ids,
        gallery_ids=gallery_ids,
        metric=metric,
        memory_mb=memory_mb,
        screen=screen,
    )
    count = len(np.asarray(queries))
    scores, indices = np.empty((count, k), np.float32), np.empty((count, k), np.int64)
    for part, block_scores, block_indices in blocks:
        scores[part], indices[part] = block_scores, block_indices
    return scores, indices


def nearest_blocks(
    queries: npt.ArrayLike,
    gallery: npt.ArrayLike,
    k: int,
    *,
    query_ids: npt.ArrayLike | None = None,
    gallery_ids: npt.ArrayLike | None = None,
    metric: Similarity = "cosine",
    memory_mb: float = 256,
    screen: ScreenName = "auto",
) -> Iterator[Nearest]:
    """`top_k` a block of queries at a time, in their order, for results too large to be kept."""
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if (query_ids is None) != (gallery_ids is None):
        raise ValueError("query_ids and gallery_ids must be given together")
    left, right = similarity.comparable_rows(queries, gallery, metric)
    if len(right) >= order.NONE:
        raise ValueError(f"the gallery has {len(right)} rows, more than {order.NONE - 1}")
    codes = None
    if query_ids is not None and gallery_ids is not None:
        codes = rows.paired_codes(query_ids, gallery_ids, len(left), len(right), "ids")
    threads = int(np.clip(memory_mb / _THREAD_MB, 1, cores()))
    plan = _plan(len(left), len(right), k, memory_mb * 1e6 / threads)
    job = _Job(left, right, codes, k, metric, plan, screen)
    return in_threads(job.search, range(0, len(left), plan.query_rows), threads)


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
    return order.unpacked(order.first(order.packed(scores, ids), k))


class _Plan(NamedTuple):
    """Sizes: rows of a block of queries and of the gallery, entries of a list at first, at most."""

    query_rows: int
    gallery_rows: int
    list_size: int
    list_limit: int


def _plan(queries: int, gallery: int, k: int, memory: float) -> _Plan:
    """Sizes with which one thread's work fits into `memory` bytes."""
    size = min(2 * k + _LIST_SPARE, gallery + 1)
    wide = min(_GALLERY_BLOCK, _power_of_two(max(gallery, 1)))
    while wide > 256 and 64 * wide * _PAIR_BYTES > memory / 2:
        wide //= 2
    each = wide * _PAIR_BYTES + size * _ENTRY_BYTES
    if each > memory:
        raise ValueError(
            f"the search for k={k} neighbours needs at least {each / 1e6:.2f} MB of memory for "
            f"each thread; memory_mb leaves it {memory / 1e6:.2f} MB"
        )
    tall = min(_QUERY_BLOCK, wide, _power_of_two(max(queries, 1)))
    while tall * each > memory:
        tall //= 2
    affordable = int((memory - tall * wide * _PAIR_BYTES) / (tall * _ENTRY_BYTES))
    return _Plan(tall, wide, size, max(size, min(affordable, size + gallery // _LIST_SHARE)))


def _power_of_two(number: int) -> int:
    """The smallest power of two that is not below the number."""
    return 1 << (number - 1).bit_length()


class _Job:
    """One search, block of queries by block of queries."""

    def __init__(
        self,
        queries: Floats,
        gallery: Floats,
        codes: tuple[Ints, Ints] | None,
        k: int,
        metric: Similarity,
        plan: _Plan,
        screen: ScreenName,
    ) -> None:
        self._queries, self._gallery, self._codes = queries, gallery, codes
        self._k, self._metric, self._plan = k, metric, plan
        self._screen = choose_screen(screen, queries, gallery, metric, plan.gallery_rows)

    @functools.cached_property
    def _fine_screen(self) -> Float32Screen:
        if type(self._screen) is Float32Screen:
            return self._screen
        return Float32Screen(self._queries, self._gallery, self._metric, self._plan.gallery_rows)

    def search(self, start: int) -> Nearest:
        """Searches the block of queries that begins at `start`."""
        part = slice(start, min(start + self._plan.query_rows, len(self._queries)))
        keys, crowded = self._screened(self._screen, part, None)
        if len(crowded) and self._fine_screen is not self._screen:
            keys[crowded], still = self._screened(self._fine_screen, part, crowded)
            crowded = crowded[still]
        if len(crowded):
            keys[crowded] = self._exact(start + crowded)
        return Nearest(part, *order.unpacked(keys))

    def _screened(
        self, screen: Float32Screen, part: slice, chosen: Ints | None
    ) -> tuple[Ints, Ints]:
        """Keys [B, k] of the block's queries, or of those chosen; and which were too crowded."""
        own = screen.query_rows(part.start, part.stop)
        number = np.arange(part.start, part.stop)
        if chosen is not None:
            own, number = own[chosen], number[chosen]
        excluded = self._most_excluded(number)
        unmasked = excluded if excluded <= _FEW_EXCLUDED else 0
        plan, wide = self._plan, self._plan.gallery_rows
        candidates = Candidates(
            self._k,
            screen.error[number],
            screen.relative,
            size=plan.list_size,
            limit=plan.list_limit,
        )
        buffer = None
        seen = 0
        for block, first in enumerate(range(0, len(self._gallery), wide)):
            buffer = scores = screen.scores(own, block, buffer)
            if excluded > _FEW_EXCLUDED:
                scores = screen.without(scores, self._excluded_pairs(number, first))
            # Pieces as long as what was seen so far bring about k candidates each.
            column = 0
            while column < scores.shape[1]:
                end = min(scores.shape[1], column + max(seen, 4 * self._k, _FIRST_PIECE))
                piece = scores[:, column:end]
                unlimited = np.isneginf(candidates.threshold).any()
                if unlimited and piece.shape[1] >= self._k + unmasked:
                    # Those to be excluded may be among these.
                    candidates.raise_threshold(screen.kth(piece, self._k + unmasked))
                row, place, score = screen.at_least(piece, candidates.threshold)
                place += first + column
                if self._codes is not None:
                    other = self._codes[0][number[row]] != self._codes[1][place]
                    row, place, score = row[other], place[other], score[other]
                candidates.add(row, place, score)
                candidates.tighten()
                seen += end - column
                column = end
        listed = candidates.listed()
        if not listed.size:
            listed = np.full((len(number), 1), -1)
            exact = np.full(listed.shape, -np.inf, np.float32)
        else:
            queries = self._queries[number]
            exact = similarity.listed_scores(queries, self._gallery, listed, self._metric)
        keys = order.first(order.packed(exact, listed), self._k)
        return keys, np.flatnonzero(candidates.crowded)

    def _excluded_pairs(self, number: Ints, first: int) -> tuple[Ints, Ints]:
        """Rows and columns of what is excluded in the block that begins at `first`."""
        if self._codes is None:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        part = slice(first, first + self._plan.gallery_rows)
        return rows.equal_pairs(self._codes[0][number], self._codes[1][part])

    def _most_excluded(self, number: Ints) -> int:
        """The largest number of gallery rows that are excluded for one of the queries."""
        if self._codes is None:
            return 0
        query, _ = rows.equal_pairs(self._codes[0][number], self._codes[1])
        return int(np.bincount(query, minlength=1).max())

    def _exact(self, number: Ints) -> Ints:
        """Keys [B, k] of queries by exact scores of the whole gallery, some rows at a time."""
        wide = max(1, similarity.CACHED_ELEMENTS // self._gallery.shape[1])
        found = np.empty((len(number), self._k), np.int64)
        for i, query in enumerate(number):
            best = np.empty((1, 0), np.int64)
            for first in range(0, len(self._gallery), wide):
                part = slice(first, first + wide)
                scores = similarity.all_scores(
                    self._queries[query][None], self._gallery[part], self._metric
                )
                index = np.arange(first, first + scores.shape[1])[None]
                keys = order.packed(scores, index)
                if self._codes is not None:
                    keys = keys[:, self._codes[1][part] != self._codes[0][query]]
                best = order.first(np.concatenate([best, keys], axis=1), self._k)
            found[i] = best[0]
        return found
