"""`search.top_k` as a TensorFlow graph, to be part of a SavedModel.

Not for evaluation (use `search.py`, which also excludes ids and prunes). Same scores, same order,
same padding; ties rank by lower gallery index.

A float32 product picks candidates, a few more than are asked for, which are then scored exactly;
if what was not picked could belong among them, all is scored exactly. On GPUs that compute float32
products in TensorFloat-32 the product is less precise than the bound of its error assumes: turn
that off there (`tf.config.experimental.enable_tensor_float_32_execution`).
"""

from __future__ import annotations

import tensorflow as tf

from retrieval import similarity
from retrieval.rows import GRID
from retrieval.screen import rounding_bound
from retrieval.similarity import Similarity

SPARE = 16


def unit_rows_tf(rows: tf.Tensor) -> tf.Tensor:
    """`rows.unit_rows` in TensorFlow: L2-normalised rows on a grid of 2**-24, zero rows kept.

    Args:
        rows: Real numbers, [N, D].

    Returns:
        float32, [N, D].
    """
    wide = tf.cast(rows, tf.float64)
    largest = tf.reduce_max(tf.abs(wide), axis=1, keepdims=True)
    wide = tf.math.divide_no_nan(wide, largest)
    norm = tf.sqrt(tf.reduce_sum(wide * wide, axis=1, keepdims=True))
    return tf.cast(tf.round(tf.math.divide_no_nan(wide, norm) * GRID) / GRID, tf.float32)


def top_k_tf(
    queries: tf.Tensor,
    gallery: tf.Tensor,
    k: int,
    block_rows: int = 4096,
    *,
    metric: Similarity = "cosine",
    gallery_is_unit: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The k gallery rows nearest to each query, best first.

    Where the gallery has fewer than k rows, the rest is score -inf, index -1.

    Args:
        queries: Real numbers, [Q, D].
        gallery: Real numbers, [N, D]; N may be unknown, D must be known.
        k: Static, at least 1.
        block_rows: Gallery rows scored at a time; bounds memory to Q * block_rows scores.
        metric: What is compared, see `similarity.py`.
        gallery_is_unit: The gallery is a result of `rows.unit_rows` or `unit_rows_tf`, float32,
            so that it need not be normalised at each call; only for the cosine.

    Returns:
        (scores, indices): float32 and int64, both [Q, k].

    Raises:
        ValueError: k or block_rows < 1, an unknown metric, unit rows for another than the cosine,
            not matrices, D unknown or different.
        tf.errors.InvalidArgumentError: when run, if a query holds NaN or infinity, or a row of
            either side, other than for the cosine, is longer than 1e18.

    >>> top_k_tf(tf.constant([[1.0, 0.0]]), tf.constant([[0.0, 1.0], [2.0, 0.0]]), 3)[1].numpy()
    array([[ 1,  0, -1]])
    """
    for name, value in (("k", k), ("block_rows", block_rows)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    similarity.check(metric)
    if gallery_is_unit and metric != "cosine":
        raise ValueError(f"gallery_is_unit is for the cosine, not for {metric}")
    queries, gallery = tf.convert_to_tensor(queries), tf.convert_to_tensor(gallery)
    dims = []
    for name, matrix in (("queries", queries), ("gallery", gallery)):
        if matrix.shape.rank != 2 or matrix.shape[1] is None:
            raise ValueError(f"{name} must have shape [rows, dim], dim known, got {matrix.shape}")
        dims.append(matrix.shape[1])
    if dims[0] != dims[1]:
        raise ValueError(f"queries have dim {dims[0]}, gallery has dim {dims[1]}")
    queries = tf.debugging.check_numerics(tf.cast(queries, tf.float64), "queries of top_k_tf")
    space = _Space(metric, gallery, gallery_is_unit)
    queries = unit_rows_tf(queries) if metric == "cosine" else tf.cast(queries, tf.float32)

    scores, indices, longest = _scan(queries, space, k + SPARE, block_rows, exact=False)
    if metric != "cosine":
        for name, norm in (("queries", tf.norm(queries, axis=1)), ("gallery", longest)):
            # Without a limit, float32 products overflow.
            tf.debugging.assert_less(
                norm, similarity.LONGEST, f"{name} of top_k_tf hold NaN, infinity or a long row"
            )
    # A row that was not picked may be better than it seems, and the k-th best worse.
    reach = tf.norm(queries, axis=1) + longest
    error = rounding_bound(dims[0] + 4) * (reach * reach if metric != "cosine" else 1.01)
    crowded = tf.reduce_any(tf.logical_not(scores[:, k - 1] - scores[:, -1] > 2.0 * error))
    scores, indices = tf.cond(
        crowded,
        lambda: _scan(queries, space, k, block_rows, exact=True)[:2],
        lambda: _rescored(queries, space, indices, k),
    )
    return scores, indices


class _Space:
    """A gallery, and how rows of it are compared."""

    def __init__(self, metric: Similarity, gallery: tf.Tensor, is_unit: bool) -> None:
        self.metric, self._gallery, self._is_unit = metric, gallery, is_unit
        self.size = tf.shape(gallery, out_type=tf.int64)[0]

    def rows(self, start: tf.Tensor, count: int) -> tf.Tensor:
        """Comparable rows, float32 [W, D]."""
        return self._comparable(self._gallery[start : start + count])

    def listed(self, indices: tf.Tensor) -> tf.Tensor:
        """Comparable rows of a list, float32 [P, D]; there must be rows."""
        return self._comparable(tf.gather(self._gallery, indices))

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

    def exact_of_lists(self, queries: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
        """Scores of queries [Q, D] and their own rows [Q, K, D], float32 [Q, K]."""
        queries, found = tf.cast(queries, tf.float64), tf.cast(found, tf.float64)
        if self.metric == "squared_euclidean":
            product = -tf.reduce_sum((found - queries[:, tf.newaxis]) ** 2, axis=2)
        else:
            product = tf.einsum("qkd,qd->qk", found, queries)
        return tf.cast(product + 0.0, tf.float32)


def _rescored(
    queries: tf.Tensor, space: _Space, indices: tf.Tensor, k: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The best k of the lists [Q, K] by exact scores."""
    dim = queries.shape[1]
    found = tf.cond(
        space.size > 0,
        lambda: space.listed(tf.reshape(tf.maximum(indices, 0), [-1])),
        lambda: tf.zeros([tf.size(indices), dim]),
    )
    found = tf.reshape(found, [-1, indices.shape[1], dim])
    exact = space.exact_of_lists(queries, found)
    exact = tf.where(indices < 0, -float("inf"), exact)
    # top_k keeps the order of equal values, so candidates go in by index, padding last.
    order = tf.argsort(tf.where(indices < 0, tf.int64.max, indices), axis=1)
    exact = tf.gather(exact, order, batch_dims=1)
    indices = tf.gather(indices, order, batch_dims=1)
    exact, order = tf.math.top_k(exact, k)
    return exact, tf.gather(indices, order, batch_dims=1)


def _scan(
    queries: tf.Tensor, space: _Space, k: int, block_rows: int, *, exact: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Top k by one pass over blocks of the gallery, and the norm of its longest row."""

    def merge(
        start: tf.Tensor, scores: tf.Tensor, indices: tf.Tensor, longest: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        rows = space.rows(start, block_rows)
        new = space.exact(queries, rows) if exact else space.approximate(queries, rows)
        columns = tf.range(start, start + tf.shape(rows, out_type=tf.int64)[0])
        all_scores = tf.concat([scores, new], axis=1)
        shape = tf.shape(new, out_type=tf.int64)
        all_indices = tf.concat([indices, tf.broadcast_to(columns[None], shape)], axis=1)
        # Earlier rows stand to the left, and top_k prefers the left of equal scores.
        scores, order = tf.math.top_k(all_scores, k)
        longest = tf.maximum(longest, tf.reduce_max(tf.norm(rows, axis=1)))
        return start + block_rows, scores, tf.gather(all_indices, order, batch_dims=1), longest

    shape = tf.stack([tf.shape(queries)[0], k])
    state = (
        tf.constant(0, tf.int64),
        tf.fill(shape, -float("inf")),
        tf.fill(shape, tf.constant(-1, tf.int64)),
        tf.constant(0.0),
    )
    _, scores, indices, longest = tf.while_loop(
        lambda start, *_: start < space.size,
        merge,
        state,
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([queries.shape[0], k]),
            tf.TensorShape([queries.shape[0], k]),
            tf.TensorShape([]),
        ),
    )
    return scores, indices, longest
