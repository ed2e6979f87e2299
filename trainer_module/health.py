"""Whether training is well: how far classes are apart, and when it has to be stopped.

The retrieval metrics of each epoch are in `validation.py`; this file looks at the losses and at
the geometry of centers and embeddings.
"""

from __future__ import annotations

import math
import time
from typing import Any

import keras
import numpy as np

from trainer_module.joint_loss import JointLoss
from trainer_module.progress_log import SECONDS_BETWEEN_LINES

# Mean squared distance between class means of unit embeddings (at most 2) below which nothing can
# tell classes apart any more; EfficientNet-Lite2 has 0.41 on Oxford Flowers 102 before training.
COLLAPSED = 1e-3

# Mean length of centers that are not normalised, below which the embedding has shrunk to a point.
SHRUNK = 1e-3


class TrainingDivergedError(FloatingPointError):
    """Training cannot go on; the message names what went wrong, when, and what may help."""


def center_health(loss: JointLoss) -> dict[str, float]:
    """Describes the centers of the classes that have one.

    Returns:
        `center_norm`, their mean length, and `center_distance_min`, the smallest distance between
        two, both as the center loss compares them (in its normalised mode the lengths are those of
        means of unit vectors, and the distance is between directions); NaN where there are too few.
    """
    centers = np.asarray(loss.center_loss.centers)
    centers = centers[np.asarray(loss.center_loss.updates) > 0].astype(np.float64)
    lengths = np.linalg.norm(centers, axis=1)
    if len(centers) == 0:
        return {"center_norm": math.nan, "center_distance_min": math.nan}
    if loss.center_loss.normalize:
        centers = centers / np.maximum(lengths, 1e-12)[:, None]
    return {
        "center_norm": float(lengths.mean()),
        "center_distance_min": _smallest_distance(centers),
    }


def _smallest_distance(points: np.ndarray, block: int = 1024) -> float:
    """Smallest Euclidean distance between two rows; a block of rows at a time."""
    if len(points) < 2:
        return math.nan
    squares = (points**2).sum(axis=1)
    smallest = math.inf
    for start in range(0, len(points), block):
        rows = slice(start, min(start + block, len(points)))
        squared = squares[rows, None] + squares - 2.0 * points[rows] @ points.T
        squared[np.arange(rows.stop - start), np.arange(start, rows.stop)] = math.inf
        smallest = min(smallest, float(squared.min()))
    return math.sqrt(max(smallest, 0.0))


class StopOnBadLoss(keras.callbacks.Callback):
    """Ends training with an error when a loss is no finite number; checkpoints stay.

    Must stand before the callback that measures validation, which cannot with such weights.
    """

    def __init__(self) -> None:
        """Starts without an epoch."""
        super().__init__()
        self._epoch = 0
        self._checked_at = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keeps the epoch for the message."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the losses, at most once a second: reading them waits for the device."""
        now = time.monotonic()
        if now - self._checked_at >= SECONDS_BETWEEN_LINES:
            self._checked_at = now
            self._check(logs or {}, f"by step {batch + 1} of epoch {self._epoch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the losses."""
        self._check(logs or {}, f"in epoch {epoch + 1}")

    def _check(self, logs: dict[str, Any], when: str) -> None:
        bad = [n for n, value in logs.items() if _is_loss(n) and not math.isfinite(float(value))]
        if bad:
            raise TrainingDivergedError(
                f"training diverged {when}: {', '.join(sorted(bad))} "
                f"{'is' if len(bad) == 1 else 'are'} no finite number; lower "
                f"training.learning_rate, or the weight of that loss ({_kept(self._epoch)})"
            )


class StopOnBadWeights(keras.callbacks.Callback):
    """Ends training with an error when a weight is no finite number; checkpoints stay.

    A loss is of before its step: the last step of an epoch may spoil the weights and leave no trace
    in the losses. Must stand before the callbacks that measure and save.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at all weights."""
        bad = [weight.path for weight in self.model.weights if not _is_finite(weight)]
        if bad:
            raise TrainingDivergedError(
                f"training diverged in epoch {epoch + 1}: {len(bad)} of {len(self.model.weights)} "
                f"weights ({bad[0]}{', …' if len(bad) > 1 else ''}) have values that are no finite "
                f"number; lower training.learning_rate ({_kept(epoch)})"
            )


def _is_finite(weight: Any) -> bool:
    return bool(keras.ops.all(keras.ops.isfinite(keras.ops.cast(weight, "float32"))))


class StopOnCollapse(keras.callbacks.Callback):
    """Ends training with an error when the embedding has collapsed; checkpoints stay.

    Must stand between the callback that measures validation and the one that saves.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the distances between classes, and at the centers' lengths."""
        logs = logs or {}
        between, length = logs.get("val_between_classes", 1.0), logs.get("center_norm", 1.0)
        what = None
        if between < COLLAPSED:
            what = (
                f"the classes' mean embeddings are within {between:.1e} (mean squared distance) of "
                "each other"
            )
        elif length < SHRUNK and not self.model.joint_loss.center_loss.normalize:
            what = f"centers have shrunk to a mean length of {length:.1e}"
        if what:
            raise TrainingDivergedError(
                f"the embedding collapsed in epoch {epoch + 1}: {what}; lower "
                "training.center_loss.weight or training.learning_rate, or raise "
                f"training.cross_entropy_weight ({_kept(epoch)})"
            )


def _kept(finished_epochs: int) -> str:
    if finished_epochs == 0:
        return "no epoch had been finished"
    return f"the checkpoint after epoch {finished_epochs} is kept"


def _is_loss(name: str) -> bool:
    return name == "loss" or name.endswith("_loss")
