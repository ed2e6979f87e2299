"""`search.top_k` as a TensorFlow graph, to be part of a SavedModel.

Not for evaluation (use `search.py`, which also excludes ids and prunes), nor for galleries so large
that most of them must be passed over (`tf_routed_search.py`). Same scores, same order, same
padding; ties rank by lower gallery index.

A float32 product picks candidates, a few more than are asked for, which are then scored exactly;
if what was not picked could belong among them, all is scored exactly. On GPUs that compute float32
products in TensorFloat-32 the product is less precise than the bound of its error assumes: turn
that off there (`tf.config.experimental.enable_tensor_float_32_execution`).
"""

from __future__ import annotations

import tensorflow as tf

from retrieval import similarity
from retrieval.screen import rounding_bound
from retrieval.similarity import Floats, Similarity
from retrieval.tf_scores import Rows, unit_rows_tf

SPARE = 16

# Rows of a block of the gallery; and for few queries up to so many times more, since passes of the
# loop cost more than their products then.
_BLOCK_ROWS, _MOST_BLOCKS, _MANY_QUERIES = 16384, 8, 32


def top_k_tf(
    queries: tf.Tensor,
    gallery: tf.Tensor,
    k: int,
    block_rows: int | None = None,
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
        block_rows: Gallery rows scored at a time, which bounds memory to some Q * block_rows
            scores; 16,384 by default, and more for few queries.
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
        if value is not None and value < 1:
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
    queries = unit_rows_tf(queries) if metric == "cosine" else tf.cast(queries, tf.float32)
    rows = Rows(metric, gallery, is_unit=gallery_is_unit)

    exact_rows = block_rows or _BLOCK_ROWS
    approximate_rows: int | tf.Tensor = exact_rows
    if block_rows is None and gallery_is_unit:
        # Only these are multiplied without a copy.
        times = _MANY_QUERIES // tf.maximum(tf.shape(queries, out_type=tf.int64)[0], 1)
        approximate_rows = _BLOCK_ROWS * tf.clip_by_value(times, 1, _MOST_BLOCKS)
    scores, indices, longest = scan(queries, rows, k + SPARE, approximate_rows, exact=False)
    if metric != "cosine":
        for name, norm in (("queries", tf.norm(queries, axis=1)), ("gallery", longest)):
            # Without a limit, float32 products overflow.
            tf.debugging.assert_less(
                norm, similarity.LONGEST, f"{name} of top_k_tf hold NaN, infinity or a long row"
            )
    return tf.cond(
        tf.reduce_any(crowded(scores, k, error_bound(queries, metric, longest))),
        lambda: scan(queries, rows, k, exact_rows, exact=True)[:2],
        lambda: rescored(queries, rows, indices, k),
    )


class ExactGallery(tf.Module):
    """A gallery in a variable, and the search of it.

    >>> from retrieval.rows import unit_rows
    >>> exact = ExactGallery(unit_rows([[0, 1], [2, 0]]))
    >>> exact.nearest(tf.constant([[1.0, 0.0]]), k=1)[1].numpy()
    array([[1]])
    """

    def __init__(self, gallery: Floats) -> None:
        """Puts rows into a variable.

        Args:
            gallery: Result of `rows.unit_rows`, float32, [N, D].
        """
        super().__init__()
        self.rows = tf.Variable(gallery, trainable=False, name="gallery_embeddings")

    def nearest(self, queries: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
        """`top_k_tf` by the cosine."""
        return top_k_tf(queries, self.rows.read_value(), k, gallery_is_unit=True)


def error_bound(
    queries: tf.Tensor, metric: Similarity, longest: tf.Tensor | None = None
) -> tf.Tensor:
    """How far approximate scores may be from exact ones.

    Args:
        queries: Comparable rows, float32 [Q, D].
        metric: What is compared.
        longest: Norm of the longest gallery row, float32 []; not needed for the cosine.

    Returns:
        float32, [Q], or [] for the cosine.
    """
    bound = rounding_bound(queries.shape[1] + 4)
    if metric == "cosine":
        # Norms are 1, but for what rounding to the grid has changed.
        return tf.constant(1.01 * bound)
    reach = tf.norm(queries, axis=1) + longest
    return bound * reach * reach


def crowded(scores: tf.Tensor, k: int, error: tf.Tensor) -> tf.Tensor:
    """Whether rows that were not picked may belong among the k nearest, bool [Q].

    Args:
        scores: Approximate, of more than k picked rows, best first, [Q, K].
        k: Neighbours that are looked for.
        error: Of the scores, [Q] or [].
    """
    # A row that was not picked may be better than it seems, and the k-th best worse.
    return tf.logical_not(scores[:, k - 1] - scores[:, -1] > 2.0 * error)


def rescored(
    queries: tf.Tensor, rows: Rows, indices: tf.Tensor, k: int, names: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """The best k of lists by exact scores.

    Args:
        queries: Comparable rows, float32 [Q, D].
        rows: What the lists are of.
        indices: Lists of rows, int64 [Q, K], K at least k; -1 for none.
        k: Static.
        names: What to return in place of indices, and to rank equal scores by, int64 [Q, K].

    Returns:
        (scores, names): float32 and int64, both [Q, k]; -inf and -1 where there are fewer.
    """
    names = indices if names is None else names
    exact = rows.exact_of_lists(queries, indices)
    # top_k keeps the order of equal values, so candidates go in by name, padding last.
    order = tf.argsort(tf.where(indices < 0, tf.int64.max, names), axis=1)
    exact = tf.gather(exact, order, batch_dims=1)
    names = tf.gather(names, order, batch_dims=1)
    exact, order = tf.math.top_k(exact, k)
    return exact, tf.gather(names, order, batch_dims=1)


def scan(
    queries: tf.Tensor, rows: Rows, k: int, block_rows: int | tf.Tensor, *, exact: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Top k by one pass over blocks of rows.

    Args:
        queries: Comparable rows, float32 [Q, D].
        rows: What is searched.
        k: Static.
        block_rows: Rows of a block, a number or int64 [].
        exact: Whether scores are exact, or only approximate.

    Returns:
        (scores, indices, longest): float32 and int64, both [Q, k], padded with -inf and -1; equal
        scores rank by place in `rows`; and the norm of the longest row, 0 for the cosine.
    """

    def merge(
        start: tf.Tensor, scores: tf.Tensor, indices: tf.Tensor, longest: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        block = rows.block(start, block_rows)
        new = rows.exact(queries, block) if exact else rows.approximate(queries, block)
        # Of a block only its best go on: joining all of its scores to the others would copy them.
        new, place = tf.math.top_k(new, tf.minimum(k, tf.shape(block)[0]))
        all_scores = tf.concat([scores, new], axis=1)
        found = rows.index(start + tf.cast(place, tf.int64))
        all_indices = tf.concat([indices, found], axis=1)
        # Earlier rows stand to the left, and top_k prefers the left of equal scores.
        scores, order = tf.math.top_k(all_scores, k)
        if rows.metric != "cosine":
            longest = tf.maximum(longest, tf.reduce_max(tf.norm(block, axis=1)))
        return start + block_rows, scores, tf.gather(all_indices, order, batch_dims=1), longest

    shape = tf.stack([tf.shape(queries)[0], k])
    state = (
        tf.constant(0, tf.int64),
        tf.fill(shape, -float("inf")),
        tf.fill(shape, tf.constant(-1, tf.int64)),
        tf.constant(0.0),
    )
    _, scores, indices, longest = tf.while_loop(
        lambda start, *_: start < rows.size,
        merge,
        state,
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([queries.shape[0], k]),
            tf.TensorShape([queries.shape[0], k]),
            tf.TensorShape([]),
        ),
        # The next block is multiplied while the best of one are picked; more would take memory.
        parallel_iterations=2,
    )
    return scores, indices, longest
