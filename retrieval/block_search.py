"""The nearest neighbours of a block of queries at a time: how `search.py` does its work.

Not for the format of the fast products (`screen.py`) nor for what is a candidate
(`candidates.py`); here blocks of the gallery go by, what may matter becomes a candidate, and what
is left is scored exactly. The first block is a random sample of the gallery, so that its scores
alone give a threshold that a few more than k rows will reach; that at least k did is checked in the
end.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from retrieval import order, rows, similarity
from retrieval.candidates import Candidates
from retrieval.screen import Float32Screen, Scores
from retrieval.screen_choice import ScreenName, choose_screen
from retrieval.similarity import Floats, Similarity

Ints = npt.NDArray[np.int64]

# Rows of a block where memory allows, and the bytes that a pair in it takes.
_GALLERY_BLOCK, _QUERY_BLOCK, _PAIR_BYTES = 8192, 512, 6
# Lists of candidates hold k and as many again, and some; an entry of a list takes, with what is
# made of it while lists are weeded out and scored, so many bytes.
_LIST_SPARE, _ENTRY_BYTES = 512, 48
# Pairs of a query that are left out of the lists; where there are more, they are left out before.
_FEW_EXCLUDED = 16
# A list may grow to this share of the gallery; beyond, products with all of it cost less.
_LIST_SHARE = 16
# Standard deviations that the first threshold leaves for chance: a query in 1000 or so goes twice.
_DEVIATIONS = 3.5


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
    Plan(query_rows=512, gallery_rows=8192, list_size=532, list_limit=3045)
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
        # Makes the first block a sample of the gallery, whatever the order of that is.
        self._order = np.arange(len(gallery))
        if len(gallery) > plan.gallery_rows:
            self._order = np.random.default_rng(0).permutation(len(gallery))
        self._screen = self._make_screen(screen)

    def _make_screen(self, name: ScreenName) -> Float32Screen:
        wide = self._plan.gallery_rows
        order = self._order if len(self._gallery) > wide else None
        return choose_screen(name, self._queries, self._gallery, self._metric, wide, order)

    @functools.cached_property
    def _fine_screen(self) -> Float32Screen:
        return self._screen if type(self._screen) is Float32Screen else self._make_screen("float32")

    def search(self, start: int) -> Nearest:
        """Searches the block of queries that begins at `start`."""
        part = slice(start, min(start + self._plan.query_rows, len(self._queries)))
        number = np.arange(part.start, part.stop)
        keys, missed, crowded = self._screened(self._screen, number, guess=True)
        if len(missed):
            keys[missed], _, still = self._screened(self._screen, number[missed], guess=False)
            crowded = np.union1d(crowded, missed[still])
        if len(crowded) and self._fine_screen is not self._screen:
            keys[crowded], _, still = self._screened(
                self._fine_screen, number[crowded], guess=False
            )
            crowded = crowded[still]
        if len(crowded):
            keys[crowded] = self._exact(number[crowded])
        return Nearest(part, *order.unpacked(keys))

    def _screened(
        self, screen: Float32Screen, number: Ints, *, guess: bool
    ) -> tuple[Ints, Ints, Ints]:
        """Searches some queries by one screen.

        Args:
            screen: Which.
            number: The queries, [B].
            guess: Whether the first threshold may be one that is probably, not surely, low enough.

        Returns:
            Keys [B, k], places of the queries for which that threshold was too high, and of those
            that were too crowded: the keys of either mean nothing.
        """
        own = screen.query_rows(number)
        excluded = self._most_excluded(number)
        # Those to be excluded may be among the best of the first block.
        unmasked = excluded if excluded <= _FEW_EXCLUDED else 0
        plan, wide = self._plan, self._plan.gallery_rows
        candidates = Candidates(
            self._k,
            screen.error[number],
            screen.relative,
            size=plan.list_size,
            limit=plan.list_limit,
        )
        scores: Scores | None = None
        tightened = 0
        for block, first in enumerate(range(0, len(self._gallery), wide)):
            if not screen.reuses_scores:
                scores = None  # or there would be two blocks of them at a time
            scores = screen.scores(own, block, scores)
            if excluded > _FEW_EXCLUDED:
                scores = screen.without(scores, self._excluded_pairs(number, first))
            if not block:
                rank = self._rank_in_sample(unmasked) if guess else self._k + unmasked
                if rank <= scores.shape[1]:
                    kth = screen.kth(scores, rank)
                    candidates.first_threshold(kth, surely=rank == self._k + unmasked)
            row, place, score = screen.at_least(scores, candidates.threshold)
            place = self._order[place + first]
            if self._codes is not None:
                other = self._codes[0][number[row]] != self._codes[1][place]
                row, place, score = row[other], place[other], score[other]
            candidates.add(row, place, score)
            # Among as many rows again about k are better than the k-th so far.
            if not guess and first + wide >= 2 * tightened:
                candidates.tighten()
                tightened = first + wide
        listed = candidates.listed()
        if not listed.size:
            listed = np.full((len(number), 1), -1)
            exact = np.full(listed.shape, -np.inf, np.float32)
        else:
            queries = self._queries[number]
            exact = similarity.listed_scores(queries, self._gallery, listed, self._metric)
        keys = order.first(order.packed(exact, listed), self._k)
        return keys, np.flatnonzero(candidates.missed), np.flatnonzero(candidates.crowded)

    def _rank_in_sample(self, unmasked: int) -> int:
        """The rank in the first block that is hardly ever above rank k in the whole gallery.

        How many of the k nearest are in a random sample is nearly a Poisson variable.
        """
        expected = self._k * self._plan.gallery_rows / len(self._gallery)
        likely = math.ceil(expected + _DEVIATIONS * math.sqrt(expected)) + 1
        return min(likely, self._k) + unmasked

    def _excluded_pairs(self, number: Ints, first: int) -> tuple[Ints, Ints]:
        """Rows and columns of what is excluded in the block that begins at `first`."""
        if self._codes is None:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        block = self._order[first : first + self._plan.gallery_rows]
        return rows.equal_pairs(self._codes[0][number], self._codes[1][block])

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
