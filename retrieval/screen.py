"""Approximate scores of many pairs at once, with a proven bound of their error.

Not the scores that a search returns (`similarity.py`): with these it finds out which few pairs are
worth an exact score.

By the inequality of Cauchy and Schwarz, rows q and g that were rounded to q̃ and g̃ have a product
that is wrong by at most ‖q − q̃‖ ‖g‖ + ‖q̃‖ ‖g − g̃‖, and these norms are measured. Adding up D
products in float32, in whatever order, adds at most γ ‖q̃‖ ‖g̃‖ with γ = D u / (1 − D u), u = 2⁻²⁴
(Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, section 3.1). And as exact
scores are rounded to float32 in the end, and equal ones then rank by index, u times the largest
score belongs to the bound.

For squared Euclidean distances ‖q − g‖² ranks as 2 (‖g‖²/2 − q · g), so rows get columns that bring
in −‖g‖²/2: three, each with the bits that the coarser format leaves over of the one before. The
mean of the gallery is subtracted first, which changes no distance and makes the numbers small.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.similarity import CACHED_ELEMENTS, Floats, Similarity

Ints = npt.NDArray[np.int64]
Scores = npt.NDArray[Any]

_ROUNDING = 2.0**-24
# Parts of -‖g‖²/2, each of 8 bits or more.
_PARTS = 3
# Products that are flushed to zero, and the roundings of the bound itself.
_UNDERFLOW, _SLACK = 1e-30, 1.001
# Columns for each of the k largest values, from which on they hardly meet when columns are folded.
_SPARSE = 8
# In the bits of a bfloat16, as an int16.
_MINUS_INFINITY = np.int16(-128)


def rounding_bound(terms: int) -> float:
    """γ of so many terms in float32: see above."""
    return terms * _ROUNDING / (1.0 - terms * _ROUNDING)


class Float32Screen:
    """Products in float32 by NumPy's BLAS.

    Attributes:
        error: Bound of the error of each query's scores, float64 [Q].
        relative: A share of the score by which it may be wrong on top of that.
        reuses_scores: Whether `scores` writes into what it returned before.

    >>> rows = np.eye(2, dtype=np.float32)
    >>> screen = Float32Screen(rows, rows, "dot", block_rows=2)
    >>> scores = screen.scores(screen.query_rows(slice(2)), 0, None)
    >>> scores.tolist(), bool(screen.error.max() < 1e-6)
    ([[1.0, 0.0], [0.0, 1.0]], True)
    """

    relative = 0.0
    reuses_scores = True

    def __init__(
        self,
        queries: Floats,
        gallery: Floats,
        similarity: Similarity,
        block_rows: int,
        order: Ints | None = None,
    ) -> None:
        """Prepares both sides.

        Args:
            queries: Of `similarity.comparable_rows`, [Q, D].
            gallery: Likewise, [N, D].
            similarity: That of the rows.
            block_rows: Gallery rows of a block W, the last of which may be shorter.
            order: In which gallery rows make up the blocks, a permutation [N]; None for their own.
        """
        self._queries, self._center = queries, None
        if similarity == "squared_euclidean":
            self._center = gallery.mean(axis=0, dtype=np.float64) if len(gallery) else 0.0
        self._gallery, about = [], [np.empty((4, 0))]
        for start in range(0, len(gallery), block_rows):
            part = slice(start, start + block_rows)
            block = gallery[part] if order is None else gallery[order[part]]
            stored, sizes = self._prepared(block, is_query=False)
            self._gallery.append(stored)
            about.append(sizes)
        ordered = np.concatenate(about, axis=1)
        if queries is gallery and self._center is None:
            sizes = np.empty_like(ordered)
            sizes[:, slice(None) if order is None else order] = ordered
        else:
            about = [np.empty((4, 0))]
            for start in range(0, len(queries), block_rows):
                block = queries[start : start + block_rows]
                about.append(self._prepared(block, is_query=True)[1])
            sizes = np.concatenate(about, axis=1)
        norm, own, _, _ = sizes
        longest, most, heaviest, rest = ordered.max(axis=1, initial=0.0)
        gamma = rounding_bound(queries.shape[1] + _PARTS)
        reach = norm * longest if self._center is None else (norm + longest + own + most) ** 2
        self.error = _UNDERFLOW + _SLACK * (
            own * (longest + most)
            + norm * most
            + rest
            + gamma * (norm * longest + 2.0 * heaviest)
            + _ROUNDING * reach
        )

    def _prepared(self, rows: Floats, *, is_query: bool) -> tuple[Any, npt.NDArray[np.float64]]:
        """Rows in the screen's format; and of each, in float64, [4, B].

        The norm of what it was rounded to, the norm of what rounding took away, the length of its
        additional columns, and what rounding took from these.
        """
        about = []
        if self._center is not None:
            extended = np.ones((len(rows), rows.shape[1] + _PARTS), np.float32)
        step = max(1, CACHED_ELEMENTS // rows.shape[1])
        for first in range(0, len(rows), step):
            exact = rows[first : first + step].astype(np.float64)
            if self._center is not None:
                exact -= self._center
            back = self._rounded(exact)
            added = rest = np.zeros(len(exact))
            if self._center is not None:
                here = extended[first : first + step]
                here[:, :-_PARTS] = back
                if not is_query:
                    added = 0.5 * np.einsum("nd,nd->n", exact, exact)
                    rest = -added
                    for column in range(-_PARTS, 0):
                        here[:, column] = self._rounded(rest)
                        rest = rest - here[:, column]
            about.append(np.stack([_norms(back), _norms(exact - back), added, np.abs(rest)]))
        stored = self._stored(rows if self._center is None else extended)
        return stored, np.concatenate(about, axis=1)

    def _rounded(self, exact: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """What numbers become in the screen's format."""
        return exact.astype(np.float32).astype(np.float64)

    def _stored(self, rows: Floats) -> Any:
        """Rows in the screen's format."""
        return rows

    def query_rows(self, rows: slice | Ints) -> Any:
        """Queries in the screen's format."""
        if self._center is None:
            return self._stored(self._queries[rows])
        return self._prepared(self._queries[rows], is_query=True)[0]

    def scores(self, queries: Any, block: int, buffer: Scores | None) -> Scores:
        """Approximate scores of queries and a block of the gallery.

        Args:
            queries: Of `query_rows`, B of them.
            block: Number of the block.
            buffer: What this returned before, to be used again; None for new memory.

        Returns:
            [B, W], in the format that the following methods take.
        """
        gallery = self._gallery[block]
        if buffer is None or buffer.shape != (len(queries), len(gallery)):
            buffer = np.empty((len(queries), len(gallery)), np.float32)
        return np.matmul(queries, gallery.T, out=buffer)

    def without(self, scores: Scores, pairs: tuple[Ints, Ints]) -> Scores:
        """Scores with -inf for pairs (row, column)."""
        scores[pairs] = -np.inf
        return scores

    def kth(self, scores: Scores, k: int) -> Floats:
        """At most the k-th largest of each row of scores, and hardly less, [B].

        k is at most their number.
        """
        return _kth(scores, k)

    def at_least(self, scores: Scores, threshold: Floats) -> tuple[Ints, Ints, Floats]:
        """Rows, columns and scores of those not below their row's threshold [B], by row.

        Those may be among them that are below by a rounding.
        """
        return _places(scores, threshold)


class Bfloat16Screen(Float32Screen):
    """Products of bfloat16 by TensorFlow, for processors with matrix units for them.

    Scores come out as bfloat16 too, whose bits, read as an int16, order like the number where it is
    positive.
    """

    # Half a unit in the last of 8 bits, at the most, of a number that is itself off by so much.
    relative = 1.02 * 2.0**-8
    reuses_scores = False

    def _rounded(self, exact: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        import tensorflow as tf

        rounded = tf.cast(tf.constant(exact, tf.float32), tf.bfloat16)
        return tf.cast(rounded, tf.float64).numpy()

    def _stored(self, rows: Floats) -> Any:
        import tensorflow as tf

        return tf.cast(tf.constant(rows), tf.bfloat16)

    def scores(self, queries: Any, block: int, buffer: Scores | None) -> Scores:
        """See `Float32Screen.scores`; int16."""
        import tensorflow as tf

        product = tf.matmul(queries, self._gallery[block], transpose_b=True)
        return np.asarray(memoryview(tf.bitcast(product, tf.int16)))

    def without(self, scores: Scores, pairs: tuple[Ints, Ints]) -> Scores:
        """See `Float32Screen.without`."""
        # TensorFlow's memory is not to be written to.
        changed = scores.copy()
        changed[pairs] = _MINUS_INFINITY
        return changed

    def kth(self, scores: Scores, k: int) -> Floats:
        """See `Float32Screen.kth`."""
        # Negative numbers are in the wrong order, but below all others.
        found = _kth(scores, k)
        if (found < 0).any():
            found = _ordered(_kth(_ordered(scores), k))
        return _to_float32(found)

    def at_least(self, scores: Scores, threshold: Floats) -> tuple[Ints, Ints, Floats]:
        """See `Float32Screen.at_least`."""
        # Cutting bits off brings a number nearer to zero: up, where it is negative.
        bits = (threshold.view(np.int32) >> 16).astype(np.int16)
        negative = bits < 0
        if negative.any():
            lowest = _ordered(bits)
            lowest -= negative & (lowest > np.iinfo(np.int16).min)
            row, column, found = _places(_ordered(scores), lowest)
            found = _ordered(found)
        else:
            row, column, found = _places(scores, bits)
        return row, column, _to_float32(found)


def _kth(values: Scores, k: int) -> Scores:
    """The k-th largest of each row, or a little less: most of the k largest are in other columns.

    Of two halves the larger value of each column is kept. k columns that reach a value hold at
    least k values that do.
    """
    while values.shape[1] >= _SPARSE * k:
        half = values.shape[1] // 2
        values = np.maximum(values[:, :half], values[:, half : 2 * half])
    place = values.shape[1] - k
    return np.partition(values, place, axis=1)[:, place]


def _places(values: Scores, lowest: Scores) -> tuple[Ints, Ints, Scores]:
    """Rows, columns and values of those that are not below their row's lowest [B]."""
    flat = np.flatnonzero(values >= lowest[:, None])
    # Twice as fast as divmod.
    row = flat // values.shape[1]
    return row, flat - row * values.shape[1], values.ravel().take(flat)


def _norms(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.sqrt(np.einsum("nd,nd->n", rows, rows))


def _ordered(bits: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Bits of bfloat16 numbers to integers that order like them, and back."""
    return bits ^ ((bits >> 15) & np.int16(0x7FFF))


def _to_float32(bits: npt.NDArray[np.int16]) -> Floats:
    return (bits.astype(np.int32) << 16).view(np.float32)
