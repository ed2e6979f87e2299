"""Training that can be interrupted: the state after each epoch, and the best weights so far.

Kept outside the run's own artifacts, since a re-run gets new ones; the folder's name is derived
from everything that shapes the result, so that only the same training resumes.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
from typing import Any

import keras
from absl import logging


@dataclasses.dataclass
class Progress:
    """How far a training came.

    Attributes:
        epoch: Finished epochs.
        best_epoch: The epoch of the best weights, from 1; 0 before the first.
        best_score: Their validation score, −1 before the first.
        history: One mapping of metrics for each finished epoch.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_score: float = -1.0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)


class CheckpointFolder:
    """The state of one training on disk; each file appears whole or not at all."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Opens the folder, making it when it is not there."""
        self._folder = pathlib.Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)

    def best_weights(self, progress: Progress) -> pathlib.Path:
        """Weights with the highest validation score."""
        return self._folder / f"best-{progress.best_epoch:05d}.weights.h5"

    def restore(self, model: keras.Model) -> Progress:
        """Loads weights, centers and optimizer state of the last finished epoch, if any.

        Args:
            model: A built, compiled model of the training that this folder belongs to.

        Returns:
            Where to go on; zero epochs for a fresh start.
        """
        progress_file = self._folder / "progress.json"
        if not progress_file.exists():
            return Progress()
        progress = Progress(**json.loads(progress_file.read_text("utf-8")))
        model.load_weights(self._epoch_file(progress.epoch))
        logging.info("Training goes on after epoch %d.", progress.epoch)
        return progress

    def save(self, model: keras.Model, progress: Progress) -> None:
        """Writes the state after an epoch; a kill at any moment leaves the one before."""
        current, best = self._epoch_file(progress.epoch), self.best_weights(progress)
        self._write(current, model)
        if progress.best_epoch == progress.epoch:
            partial = best.with_suffix(".partial")
            shutil.copyfile(current, partial)
            partial.replace(best)
        partial = self._folder / "progress.json.partial"
        partial.write_text(json.dumps(dataclasses.asdict(progress)), "utf-8")
        partial.replace(self._folder / "progress.json")
        for file in self._folder.glob("*-*.weights.h5"):
            if file not in (current, best):
                file.unlink()

    def clear(self) -> None:
        """Removes the folder; to be called once the trained model is exported."""
        shutil.rmtree(self._folder)

    def _epoch_file(self, epoch: int) -> pathlib.Path:
        return self._folder / f"epoch-{epoch:05d}.weights.h5"

    def _write(self, path: pathlib.Path, model: keras.Model) -> None:
        partial = path.with_name("partial.weights.h5")
        model.save_weights(partial, overwrite=True)
        partial.replace(path)


class SaveEveryEpoch(keras.callbacks.Callback):
    """Saves after each epoch, and the best weights by one logged metric."""

    def __init__(self, folder: CheckpointFolder, progress: Progress, monitor: str) -> None:
        """Goes on from `progress`; `monitor` is a metric in the logs, higher is better."""
        super().__init__()
        self._folder = folder
        self._progress = progress
        self._monitor = monitor

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the epoch's state."""
        values = {name: float(value) for name, value in (logs or {}).items()}
        progress = self._progress
        progress.epoch = epoch + 1
        progress.history.append(values)
        # A score that cannot be had, for want of two images of a class, leaves the latest epoch.
        if not values[self._monitor] <= progress.best_score:
            progress.best_score = values[self._monitor]
            progress.best_epoch = progress.epoch
        self._folder.save(self.model, progress)
