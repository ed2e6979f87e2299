"""What happens beside the training steps: reproducible dropout, and lines in the log.

Callbacks with a subject of their own are where that is: `validation.py`, `health.py`,
`checkpoints.py`.
"""

from __future__ import annotations

import time
from typing import Any

import keras
from absl import logging

from trainer_module.progress_log import SECONDS_BETWEEN_LINES

# More generators than a model has, and more draws than an epoch takes.
_GENERATORS = 1000
_DRAWS = 2**20


class ReseedDropout(keras.callbacks.Callback):
    """Sets random generators of layers at the start of each epoch, by seed and epoch alone.

    Keras does not save their state with the weights: without this, a resumed training would draw
    other masks than an uninterrupted one.
    """

    def __init__(self, seed: int) -> None:
        """Keeps the seed of the training."""
        super().__init__()
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Sets every generator to a state of its own."""
        states = [v for v in self.model.variables if v.path.endswith("seed_generator_state")]
        for index, state in enumerate(states):
            # A generator adds 1 to the second number with each draw: far apart, no two epochs meet.
            state.assign([self._seed * _GENERATORS + index, epoch * _DRAWS])


class LogProgress(keras.callbacks.Callback):
    """Writes one log line for each epoch, and meanwhile at most one a second for the steps."""

    def __init__(self, epochs: int, batch_size: int) -> None:
        """Keeps the number of epochs, and of images in a step, for the lines."""
        super().__init__()
        self._epochs = epochs
        self._batch_size = batch_size
        self._epoch = 0
        self._written_at = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Says what the first step waits for."""
        logging.info("Progress: tracing the training step.")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keeps the epoch for the steps' lines."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the step's line, if the last one is old enough or it is the epoch's last step."""
        now = time.monotonic()
        is_last = batch + 1 == self.params["steps"]
        if now - self._written_at >= SECONDS_BETWEEN_LINES or is_last:
            self._written_at = now
            logging.info(
                "Progress: epoch %d/%d step %d/%d of %d images.",
                self._epoch + 1,
                self._epochs,
                batch + 1,
                self.params["steps"],
                self._batch_size,
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the epoch's line."""
        values = "  ".join(f"{name} {float(value):.4f}" for name, value in (logs or {}).items())
        logging.info("Epoch %d/%d  %s", epoch + 1, self._epochs, values)
