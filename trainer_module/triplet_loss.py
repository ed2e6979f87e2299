"""Triplet loss with its triplets mined on the batch's distance matrix.

Only the loss; batches that hold several images of each class, without which there are no triplets,
come from `class_balanced.py`.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from trainer_module.replicas import sum_over_replicas
from trainer_module.vectors import unit

BATCH_HARD = "batch_hard"
SEMI_HARD = "semi_hard"

# Stands for "no such row" where the smallest or largest distance is looked for.
_FAR = 1e30


def squared_distances(features: Any) -> Any:
    """Squared Euclidean distances ‖f_i − f_j‖² between all rows.

    Args:
        features: float32 `[B, D]`.

    Returns:
        float32 `[B, B]`, ≥ 0. From the Gram matrix, so that the error is that of a product: of the
        size of ‖f‖² · 1e-7 in float32, of ‖f‖² · 1e-3 where a GPU computes it in TF32.
    """
    squares = ops.sum(ops.square(features), axis=-1)
    gram = ops.matmul(features, ops.transpose(features))
    return ops.maximum(squares[:, None] + squares[None, :] - 2.0 * gram, 0.0)


def triplet_loss(
    features: Any,
    labels: Any,
    *,
    margin: float,
    mining: str = BATCH_HARD,
    normalize: bool = True,
    sample_weight: Any = None,
) -> Any:
    """Mean of max(0, ‖f_A − f_P‖² − ‖f_A − f_N‖² + α) over mined triplets.

    A (anchor) and P (positive) are different rows of one class, N (negative) is of another.

    `batch_hard` (Hermans, Beyer and Leibe, 2017, "In Defense of the Triplet Loss for Person
    Re-Identification", eq. 5): one triplet for each anchor, of its farthest positive and its
    nearest negative.

    `semi_hard` (Schroff, Kalenichenko and Philbin, CVPR 2015, "FaceNet", section 3.2): one for each
    pair of anchor and positive, with the nearest of those negatives that are farther than the
    positive; the farthest negative where none is. Memory grows with B³.

    Under `tf.distribute` each replica mines among its own rows; the denominator is the number of
    triplets of all, so that the parts sum to the mean.

    Args:
        features: `[B, D]`; computed in float32.
        labels: Class indices, integers `[B]`.
        margin: α > 0, in squared distance.
        mining: `batch_hard` or `semi_hard`.
        normalize: Whether features are scaled to length 1 first; distances are then 2 − 2 cos.
        sample_weight: `[B]`, or None; a row of weight 0 is in no triplet, any other weight counts
            as 1.

    Returns:
        float32 scalar; 0 if the batch has no triplet.

    Raises:
        ValueError: Unknown mining.
    """
    if mining not in (BATCH_HARD, SEMI_HARD):
        raise ValueError(f"mining is {mining!r}, but must be {BATCH_HARD} or {SEMI_HARD}")
    features = ops.cast(features, "float32")
    labels = ops.cast(labels, "int32")
    known = ops.ones_like(labels, dtype="bool")
    if sample_weight is not None:
        known = ops.cast(sample_weight, "float32") > 0
        # Such a row may hold anything, NaN included.
        features = ops.where(known[:, None], features, 0.0)
    if normalize:
        features = unit(features)
    distances = squared_distances(features)
    both = ops.logical_and(known[:, None], known[None, :])
    same = labels[:, None] == labels[None, :]
    other_row = ops.logical_not(ops.eye(ops.shape(labels)[0], dtype="bool"))
    positive = ops.logical_and(both, ops.logical_and(same, other_row))
    negative = ops.logical_and(both, ops.logical_not(same))
    mine = _batch_hard if mining == BATCH_HARD else _semi_hard
    terms, is_triplet = mine(distances, positive, negative, margin)
    count = ops.cast(is_triplet, "float32")
    total, number = ops.sum(ops.where(is_triplet, terms, 0.0)), ops.sum(count)
    (number,) = sum_over_replicas([number])
    return total / ops.maximum(number, 1.0)


def _batch_hard(distances: Any, positive: Any, negative: Any, margin: float) -> tuple[Any, Any]:
    """Terms and whether they are triplets, both `[B]`."""
    farthest = ops.max(ops.where(positive, distances, -_FAR), axis=1)
    nearest = ops.min(ops.where(negative, distances, _FAR), axis=1)
    is_triplet = ops.logical_and(ops.any(positive, axis=1), ops.any(negative, axis=1))
    return ops.maximum(farthest - nearest + margin, 0.0), is_triplet


def _semi_hard(distances: Any, positive: Any, negative: Any, margin: float) -> tuple[Any, Any]:
    """Terms and whether they are triplets, both `[B, B]`, by anchor and positive."""
    # [A, P, N]
    farther = ops.logical_and(negative[:, None, :], distances[:, None, :] > distances[:, :, None])
    nearest = ops.min(ops.where(farther, distances[:, None, :], _FAR), axis=2)
    farthest = ops.max(ops.where(negative, distances, -_FAR), axis=1)
    chosen = ops.where(ops.any(farther, axis=2), nearest, farthest[:, None])
    is_triplet = ops.logical_and(positive, ops.any(negative, axis=1)[:, None])
    return ops.maximum(distances - chosen + margin, 0.0), is_triplet
