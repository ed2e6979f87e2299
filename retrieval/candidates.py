"""The gallery rows that may still be among the nearest of each query of a block.

Not for exact scores (`similarity.py`): what is kept here is judged by the approximate scores of
`screen.py`. If the k-th best of a query so far has the approximate score t, k rows have an exact
score of at least t less its error; a row whose own approximate score lies below that by more than
its own error cannot be among the k nearest any more.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from retrieval.rows import within_group
from retrieval.similarity import Floats

Ints = npt.NDArray[np.int64]


class Candidates:
    """Lists of gallery rows, one for each of B queries, that grow and are weeded out.

    Attributes:
        threshold: Approximate score below which a row cannot matter, float32 [B].
        crowded: Queries that had more candidates than a list may hold, and have none now, [B].

    >>> candidates = Candidates(1, np.array([0.05]), 0.0, size=4, limit=4)
    >>> candidates.add(np.array([0, 0, 0]), np.array([7, 8, 9]), np.float32([0.5, 0.1, 0.45]))
    >>> candidates.listed().tolist()  # 0.45 may be 0.5, and 0.5 may be 0.45; 0.1 may not
    [[7, 9]]
    """

    def __init__(
        self, k: int, error: npt.NDArray[np.float64], relative: float, *, size: int, limit: int
    ) -> None:
        """Makes empty lists.

        Args:
            k: Neighbours that are looked for.
            error: Of approximate scores of each query, [B].
            relative: And, on top of it, as a share of the score.
            size: Length of a list at first.
            limit: Length of a list at most, above k.
        """
        self._k, self._error, self._relative, self._limit = k, error, relative, limit
        self._scores = np.full((len(error), size), -np.inf, np.float32)
        self._rows = np.full((len(error), size), -1, np.int32)
        self._counts = np.zeros(len(error), np.int64)
        self.threshold = np.full(len(error), -np.inf, np.float32)
        self.crowded = np.zeros(len(error), bool)
        self._guess: Floats | None = None

    def first_threshold(self, kth: Floats, *, surely: bool) -> None:
        """Begins with a threshold that is not -inf.

        Args:
            kth: Approximate score that k rows reach, [B].
            surely: Whether they do; otherwise `missed` tells afterwards.
        """
        if not surely:
            self._guess = kth
        self.raise_threshold(kth)

    def raise_threshold(self, kth: Floats) -> None:
        """Takes into account that k rows have approximate scores of at least `kth`, [B]."""
        with np.errstate(invalid="ignore"):  # -inf: fewer than k rows yet
            own = self._error + self._relative * np.abs(kth.astype(np.float64))
            # A score that lies below by the band may be larger in size, and its error with it.
            band = 2.0 * own / (1.0 - self._relative)
            lowest = np.where(np.isfinite(kth), kth - band, -np.inf).astype(np.float32)
        # Rounding to float32 may have gone up.
        lowest = np.nextafter(lowest, np.float32(-np.inf))
        np.maximum(self.threshold, lowest, out=self.threshold, where=~self.crowded)

    def add(self, query: Ints, row: Ints, score: Floats) -> None:
        """Adds candidates.

        Args:
            query: 0 … B - 1, ascending, [P].
            row: Gallery rows, each once for a query, [P].
            score: Approximate, [P].
        """
        counts = np.bincount(query, minlength=len(self._counts))
        if (self._counts + counts).max(initial=0) > self._scores.shape[1]:
            self._weed_out()
            keep = score >= self.threshold[query]
            query, row, score = query[keep], row[keep], score[keep]
            counts = np.bincount(query, minlength=len(self._counts))
            full = self._counts + counts > self._limit
            if full.any():
                self._give_up(full)
                keep = ~full[query]
                query, row, score = query[keep], row[keep], score[keep]
                counts[full] = 0
            self._grow(int((self._counts + counts).max(initial=0)))
        place = self._counts[query] + within_group(counts)
        self._scores[query, place] = score
        self._rows[query, place] = row
        self._counts += counts

    def tighten(self) -> None:
        """Raises the thresholds to what the lists say."""
        used = int(self._counts.max(initial=0))
        if used > self._k:
            place = used - self._k
            scores = self._scores[:, :used]
            self.raise_threshold(np.partition(scores, place, axis=1)[:, place])

    @property
    def missed(self) -> npt.NDArray[np.bool_]:
        """Queries whose first threshold was too high, [B]: their lists are worthless."""
        if self._guess is None:
            return np.zeros(len(self._counts), bool)
        reached = (self._scores >= self._guess[:, None]).sum(axis=1)
        return (reached < self._k) & ~self.crowded

    def listed(self) -> Ints:
        """What is left, int64 [B, K]; -1 where a list is shorter than the longest."""
        self._counts, _, rows, (query, place) = self._kept()
        listed = np.full((len(self._counts), int(self._counts.max(initial=0))), -1)
        listed[query, place] = rows
        return listed

    def _weed_out(self) -> None:
        """Drops what is below the thresholds."""
        self._counts, scores, rows, kept = self._kept()
        self._scores[:], self._rows[:] = -np.inf, -1
        self._scores[kept], self._rows[kept] = scores, rows

    def _kept(self) -> tuple[Ints, Floats, npt.NDArray[np.int32], tuple[Ints, Ints]]:
        """How many of each query reach the threshold; their scores, rows and new places."""
        self.tighten()
        used = int(self._counts.max(initial=0))
        scores, rows = self._scores[:, :used], self._rows[:, :used]
        keep = (scores >= self.threshold[:, None]) & (rows >= 0)
        counts = keep.sum(axis=1)
        query = np.repeat(np.arange(len(counts)), counts)
        return counts, scores[keep], rows[keep], (query, within_group(counts))

    def _give_up(self, full: npt.NDArray[np.bool_]) -> None:
        self.crowded |= full
        self.threshold[full] = np.inf
        self._scores[full], self._rows[full], self._counts[full] = -np.inf, -1, 0

    def _grow(self, needed: int) -> None:
        size = self._scores.shape[1]
        if needed <= size:
            return
        more = ((0, 0), (0, min(self._limit, needed + needed // 2) - size))
        self._scores = np.pad(self._scores, more, constant_values=-np.inf)
        self._rows = np.pad(self._rows, more, constant_values=-1)
