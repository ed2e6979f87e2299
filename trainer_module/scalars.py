"""What TensorBoard draws of a training: a point for each epoch, in groups with plain names.

The same values under the names of `history.json` are in the log and in `summary.json`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

_TAGS = {
    "loss": "loss/total",
    "accuracy": "training/accuracy",
    "center_norm": "centers/norm",
    "center_distance_min": "centers/smallest_distance",
}
_RATE = "training/learning_rate"


def tag(name: str) -> str:
    """Returns the tag of a value of an epoch's logs; TensorBoard groups by what is before `/`."""
    if name in _TAGS:
        return _TAGS[name]
    if name.startswith("val_"):
        return f"validation/{name.removeprefix('val_')}"
    if name.endswith("_loss"):
        return f"loss/{name.removesuffix('_loss')}"
    return f"training/{name}"


class LogScalars(keras.callbacks.Callback):
    """Writes event files; a training that goes on begins with the epochs that it had finished.

    Must stand after the callbacks that add to the logs.
    """

    def __init__(self, folder: str, finished: Sequence[Mapping[str, float]]) -> None:
        """Keeps what to write.

        Args:
            folder: Where event files go; a local path or a bucket URL.
            finished: The logs of earlier epochs, whose event files an interruption has cost.
        """
        super().__init__()
        self._folder = folder
        self._finished = [dict(logs) for logs in finished]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Opens a file and writes the earlier epochs."""
        self._writer = tf.summary.create_file_writer(self._folder)
        for epoch, values in enumerate(self._finished, start=1):
            self._write(epoch, {tag(name): value for name, value in values.items()})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes an epoch; TensorBoard can show it while the next one is trained."""
        values = {tag(name): float(value) for name, value in (logs or {}).items()}
        rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        self._write(epoch + 1, {**values, _RATE: float(rate)})

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes the file."""
        self._writer.close()

    def _write(self, epoch: int, values: Mapping[str, float]) -> None:
        with self._writer.as_default():
            for name, value in values.items():
                # Centers have no distance while only one class has been seen.
                if math.isfinite(value):
                    tf.summary.scalar(name, value, step=epoch)
        self._writer.flush()
