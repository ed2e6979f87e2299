"""`search.top_k` as a TensorFlow graph, to be part of a SavedModel.

Not for evaluation (use `search.py`, which also excludes ids and prunes). Same scores, same order,
same padding; ties rank by lower gallery index.

The float32 product picks candidates, which are then scored exactly, as `rows.py` explains. On GPUs
that compute float32 products in TensorFloat-32 the product is less precise than the check of the
candidates assumes: turn that off there (`tf.config.experimental.enable_tensor_float_32_execution`).
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from retrieval.rows import GRID
from retrieval.search import SPARE, rounding_tolerance


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
    gallery_is_unit: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The k gallery rows with the highest cosine to each query, best first.

    Where the gallery has fewer than k rows, the rest is score -inf, index -1.

    Args:
        queries: Real numbers, [Q, D].
        gallery: Real numbers, [N, D]; N may be unknown, D must be known.
        k: Static, at least 1.
        block_rows: Gallery rows scored at a time; bounds memory to Q * block_rows scores.
        gallery_is_unit: The gallery is a result of `rows.unit_rows` or `unit_rows_tf`, float32,
            so that it need not be normalised at each call.

    Returns:
        (scores, indices): float32 and int64, both [Q, k].

    Raises:
        ValueError: k or block_rows < 1, not matrices, D unknown or different.
        tf.errors.InvalidArgumentError: when run, if a query holds NaN or infinity.

    >>> top_k_tf(tf.constant([[1.0, 0.0]]), tf.constant([[0.0, 1.0], [2.0, 0.0]]), 3)[1].numpy()
    array([[ 1,  0, -1]])
    """
    for name, value in (("k", k), ("block_rows", block_rows)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    queries, gallery = tf.convert_to_tensor(queries), tf.convert_to_tensor(gallery)
    dims = []
    for name, matrix in (("queries", queries), ("gallery", gallery)):
        if matrix.shape.rank != 2 or matrix.shape[1] is None:
            raise ValueError(f"{name} must have shape [rows, dim], dim known, got {matrix.shape}")
        dims.append(matrix.shape[1])
    if dims[0] != dims[1]:
        raise ValueError(f"queries have dim {dims[0]}, gallery has dim {dims[1]}")
    queries = tf.debugging.check_numerics(tf.cast(queries, tf.float64), "queries of top_k_tf")
    queries = unit_rows_tf(queries)
    unit = (lambda rows: rows) if gallery_is_unit else unit_rows_tf

    scores, indices = _scan(queries, gallery, unit, k + SPARE, block_rows, tf.float32)
    found = tf.cond(
        tf.shape(gallery)[0] > 0,
        lambda: tf.gather(gallery, tf.maximum(indices, 0)),
        lambda: tf.zeros([tf.shape(queries)[0], k + SPARE, dims[1]], gallery.dtype),
    )
    found = tf.reshape(unit(tf.reshape(found, [-1, dims[1]])), tf.shape(found))
    exact = tf.einsum("qkd,qd->qk", tf.cast(found, tf.float64), tf.cast(queries, tf.float64))
    exact = tf.where(indices < 0, -float("inf"), tf.cast(exact, tf.float32))
    # top_k keeps the order of equal values, so candidates go in by index, padding last.
    order = tf.argsort(tf.where(indices < 0, tf.int64.max, indices), axis=1)
    exact = tf.gather(exact, order, batch_dims=1)
    indices = tf.gather(indices, order, batch_dims=1)
    exact, order = tf.math.top_k(exact, k)
    indices = tf.gather(indices, order, batch_dims=1)
    # More near ties than spare candidates: what was not picked could belong here as well.
    crowded = scores[:, k - 1] - scores[:, -1] <= rounding_tolerance(dims[1])
    return tf.cond(
        tf.reduce_any(crowded),
        lambda: _scan(queries, gallery, unit, k, block_rows, tf.float64),
        lambda: (exact, indices),
    )


def _scan(
    queries: tf.Tensor,
    gallery: tf.Tensor,
    unit: Callable[[tf.Tensor], tf.Tensor],
    k: int,
    block_rows: int,
    dtype: tf.DType,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Top k by one pass over blocks of the gallery; scores rounded to float32."""
    rows = tf.shape(gallery, out_type=tf.int64)[0]
    wide = tf.cast(queries, dtype)

    def merge(
        start: tf.Tensor, scores: tf.Tensor, indices: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        block = tf.cast(unit(gallery[start : start + block_rows]), dtype)
        new = tf.cast(tf.matmul(wide, block, transpose_b=True), tf.float32)
        columns = tf.range(start, start + tf.shape(block, out_type=tf.int64)[0])
        all_scores = tf.concat([scores, new], axis=1)
        shape = tf.shape(new, out_type=tf.int64)
        all_indices = tf.concat([indices, tf.broadcast_to(columns[None], shape)], axis=1)
        # Earlier rows stand to the left, and top_k prefers the left of equal scores.
        scores, order = tf.math.top_k(all_scores, k)
        return start + block_rows, scores, tf.gather(all_indices, order, batch_dims=1)

    shape = tf.stack([tf.shape(queries)[0], k])
    state = (
        tf.constant(0, tf.int64),
        tf.fill(shape, -float("inf")),
        tf.fill(shape, tf.constant(-1, tf.int64)),
    )
    _, scores, indices = tf.while_loop(
        lambda start, *_: start < rows,
        merge,
        state,
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([queries.shape[0], k]),
            tf.TensorShape([queries.shape[0], k]),
        ),
    )
    return scores, indices
