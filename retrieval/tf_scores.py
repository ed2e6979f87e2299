"""Scores of gallery rows in a TensorFlow graph: fast ones up to rounding, and exact ones.

Not for searching (`tf_search.py`, `tf_routed_search.py`, which share this). The exact scores are
those of `similarity.py`, bit for bit.
"""

from __future__ import annotations

import tensorflow as tf

from retrieval.rows import GRID
from retrieval.similarity import Similarity


def unit_rows_tf(rows: tf.Tensor) -> tf.Tensor:
    """`rows.unit_rows` in TensorFlow: L2-normalised rows on a grid of 2**-24, zero rows kept.

    Args:
        rows: Real numbers, [N, D].

    Returns:
        float32, [N, D].

    >>> unit_rows_tf(tf.constant([[3.0, 4.0], [0.0, 0.0]])).numpy().round(3).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    wide = tf.cast(rows, tf.float64)
    largest = tf.reduce_max(tf.abs(wide), axis=1, keepdims=True)
    wide = tf.math.divide_no_nan(wide, largest)
    norm = tf.sqrt(tf.reduce_sum(wide * wide, axis=1, keepdims=True))
    return tf.cast(tf.round(tf.math.divide_no_nan(wide, norm) * GRID) / GRID, tf.float32)


class Rows:
    """Gallery rows in their order, and how they are compared.

    Attributes:
        metric: What is compared.
        size: How many rows there are, int64 [].
    """

    def __init__(self, metric: Similarity, gallery: tf.Tensor, *, is_unit: bool) -> None:
        """Keeps a gallery.

        Args:
            metric: What is compared, see `similarity.py`.
            gallery: Real numbers, [N, D].
            is_unit: It is float32, a result of `rows.unit_rows`, and the metric is the cosine.
        """
        self.metric, self._gallery, self._is_unit = metric, gallery, is_unit
        self.size = tf.shape(gallery, out_type=tf.int64)[0]

    def block(self, start: tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
        """Comparable rows from `start` on, up to `count` of them, float32 [W, D]."""
        return self._comparable(self._gallery[start : start + count])

    def index(self, place: tf.Tensor) -> tf.Tensor:
        """Gallery indices of places in the order of blocks, int64, any shape."""
        return place

    def listed(self, indices: tf.Tensor) -> tf.Tensor:
        """Comparable rows of a list [P], float32 [P, D]; those of negative indices mean nothing."""
        clipped = tf.maximum(indices, 0)
        return tf.cond(
            self.size > 0,
            lambda: self._comparable(tf.gather(self._gallery, clipped)),
            lambda: tf.zeros([tf.size(indices), self._gallery.shape[1]]),
        )

    def _comparable(self, rows: tf.Tensor) -> tf.Tensor:
        if self.metric == "cosine" and not self._is_unit:
            return unit_rows_tf(rows)
        return tf.cast(rows, tf.float32)

    def approximate(self, queries: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """Scores of all pairs up to rounding, float32 [Q, W]."""
        product = tf.matmul(queries, rows, transpose_b=True)
        if self.metric != "squared_euclidean":
            return product
        squares = tf.reduce_sum(queries * queries, axis=1)[:, tf.newaxis]
        return 2.0 * product - tf.reduce_sum(rows * rows, axis=1) - squares

    def exact(self, queries: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """Scores of all pairs, float32 [Q, W]."""
        queries, rows = tf.cast(queries, tf.float64), tf.cast(rows, tf.float64)
        if self.metric == "squared_euclidean":
            # A query at a time: its differences to a block take as much memory as the block.
            product = tf.map_fn(lambda query: -tf.reduce_sum((rows - query) ** 2, axis=1), queries)
        else:
            product = tf.matmul(queries, rows, transpose_b=True)
        return tf.cast(product + 0.0, tf.float32)

    def exact_of_lists(self, queries: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
        """Scores of queries [Q, D] with their own rows [Q, K]; float32, -inf for negative ones."""
        found = self.listed(tf.reshape(indices, [-1]))
        found = tf.reshape(found, [-1, indices.shape[1], queries.shape[1]])
        queries, found = tf.cast(queries, tf.float64), tf.cast(found, tf.float64)
        if self.metric == "squared_euclidean":
            product = -tf.reduce_sum((found - queries[:, tf.newaxis]) ** 2, axis=2)
        else:
            product = tf.einsum("qkd,qd->qk", found, queries)
        return tf.where(indices < 0, -float("inf"), tf.cast(product + 0.0, tf.float32))


class ListedRows(Rows):
    """Some rows of a gallery, in the order of a list."""

    def __init__(self, gallery: tf.Tensor, places: tf.Tensor) -> None:
        """Keeps a list, and does not gather its rows yet.

        Args:
            gallery: Result of `rows.unit_rows`, float32 [N, D].
            places: Their gallery indices, int64 [M].
        """
        super().__init__("cosine", gallery, is_unit=True)
        self._places = places
        self.size = tf.size(places, out_type=tf.int64)

    def block(self, start: tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
        """Comparable rows of the list from `start` on, up to `count` of them, float32 [W, D]."""
        return tf.gather(self._gallery, self._places[start : start + count])

    def index(self, place: tf.Tensor) -> tf.Tensor:
        """Gallery indices of places in the list, int64, any shape."""
        return tf.gather(self._places, place)
