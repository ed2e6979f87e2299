"""The nearest neighbours of a block of queries at a time: how `search.py` does its work.

Not for the format of the fast products (`screen.py`) nor for what is a candidate
(`candidates.py`); here blocks of the gallery go by, pieces of them meet the candidates, and what is
left is scored exactly.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from retrieval import order, rows, similarity
from retrieval.candidates import Candidates
from retrieval.screen import Float32Screen
from retrieval.screen_choice import ScreenName, choose_screen
from retrieval.similarity import Floats, Similarity

Ints = npt.NDArray[np.int64]

# Rows of a block where memory allows, and the bytes that a pair in it takes.
_GALLERY_BLOCK, _QUERY_BLOCK, _PAIR_BYTES = 8192, 256, 6
# Lists of candidates hold k and as many again, and some; an entry of a list takes, with what is
# made of it while lists are weeded out and scored, so many bytes.
_LIST_SPARE, _ENTRY_BYTES = 512, 48
# Pairs of a query that are left out of the lists; where there are more, they are left out before.
_FEW_EXCLUDED = 16
# A list may grow to this share of the gallery; beyond, products with all of it cost less.
_LIST_SHARE = 16
# Gallery rows from which the first thresholds are taken.
_FIRST_PIECE = 8192


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


class Plan(NamedTuple):
    """Sizes: rows of a block of queries and of the gallery, entries of a list at first, at most."""

    query_rows: int
    gallery_rows: int
    list_size: int
    list_limit: int


def plan(queries: int, gallery: int, k: int, memory: float) -> Plan:
    """Sizes with which one thread's work fits into `memory` bytes.

    Args:
        queries: Q.
        gallery: N.
        k: Neighbours that are looked for.
        memory: Bytes.

    Raises:
        ValueError: It is too little for one query.

    >>> plan(queries=1000, gallery=100_000, k=10, memory=1e8)
    Plan(query_rows=256, gallery_rows=8192, list_size=532, list_limit=6782)
    """
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
    return Plan(tall, wide, size, max(size, min(affordable, size + gallery // _LIST_SHARE)))


def _power_of_two(number: int) -> int:
    """The smallest power of two that is not below the number."""
    return 1 << (number - 1).bit_length()


class BlockSearch:
    """One search, block of queries by block of queries."""

    def __init__(
        self,
        queries: Floats,
        gallery: Floats,
        codes: tuple[Ints, Ints] | None,
        k: int,
        metric: Similarity,
        plan: Plan,
        screen: ScreenName,
    ) -> None:
        """Prepares both sides.

        Args:
            queries: Of `similarity.comparable_rows`, [Q, D].
            gallery: Likewise, [N, D].
            codes: Of the ids of both, pairs of equal ones are excluded; None to exclude nothing.
            k: Neighbours that are looked for.
            metric: That of the rows.
            plan: Sizes.
            screen: Format of the fast products.
        """
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
        seen = tightened = 0
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
                seen += end - column
                column = end
                # Among as many rows again about k are better than the k-th so far.
                if seen >= 2 * tightened:
                    candidates.tighten()
                    tightened = seen
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
