"""Training that can be interrupted: the state after each epoch, and the best weights so far.

Kept outside the run's own artifacts, since a re-run gets new ones; the folder's name is derived
from everything that shapes the result, so that only the same training resumes. It may be in a
bucket.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from trainer_module import storage

_PROGRESS = "progress.json"
_WEIGHTS = ".weights.h5"


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
    """The state of one training; a kill at any moment leaves that of the epoch before.

    Each epoch's state is a file of its own, and `progress.json`, written last, says which of them
    count.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Opens the folder, a local path or a bucket URL; it is made when it is not there."""
        self._folder = os.fspath(folder)
        tf.io.gfile.makedirs(self._folder)

    def restore(self, model: keras.Model) -> Progress:
        """Loads weights, centers and optimizer state of the last finished epoch, if any.

        Args:
            model: A built, compiled model of the training that this folder belongs to.

        Returns:
            Where to go on; zero epochs for a fresh start.
        """
        try:
            progress = Progress(**json.loads(storage.read(self._path(_PROGRESS))))
        except FileNotFoundError:
            return Progress()
        self._load(model, progress.epoch)
        logging.info("Training goes on after epoch %d.", progress.epoch)
        return progress

    def load_best(self, model: keras.Model, progress: Progress) -> None:
        """Loads the state with the highest validation score."""
        self._load(model, progress.best_epoch)

    def save(self, model: keras.Model, progress: Progress) -> None:
        """Writes the state after an epoch."""
        self._write(model, progress.epoch)
        storage.write(
            self._path(_PROGRESS), json.dumps(dataclasses.asdict(progress)).encode("utf-8")
        )
        kept = {_epoch_file(progress.epoch), _epoch_file(progress.best_epoch)}
        for name in storage.file_names(self._folder):
            if name.endswith(_WEIGHTS) and name not in kept:
                storage.remove(self._path(name))

    def clear(self) -> None:
        """Removes the folder; to be called once the trained model is exported."""
        # First of all what names the rest: no half of the folder is ever restored.
        if storage.exists(self._path(_PROGRESS)):
            storage.remove(self._path(_PROGRESS))
        tf.io.gfile.rmtree(self._folder)

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def _write(self, model: keras.Model, epoch: int) -> None:
        path = self._path(_epoch_file(epoch))
        if not storage.is_url(path):
            try:
                model.save_weights(path, overwrite=True)
            except Exception:
                _discard(path)
                raise
            return
        # Keras writes HDF5, which needs a file that it can seek in.
        with tempfile.TemporaryDirectory(prefix="checkpoint-") as scratch:
            local = os.path.join(scratch, _epoch_file(epoch))
            model.save_weights(local)
            tf.io.gfile.copy(local, path, overwrite=True)

    def _load(self, model: keras.Model, epoch: int) -> None:
        path = self._path(_epoch_file(epoch))
        if not storage.is_url(path):
            model.load_weights(path)
            return
        with tempfile.TemporaryDirectory(prefix="checkpoint-") as scratch:
            local = os.path.join(scratch, _epoch_file(epoch))
            tf.io.gfile.copy(path, local)
            model.load_weights(local)


def _discard(path: str) -> None:
    """Removes what was written of a file, and gives its space back.

    HDF5 keeps a file open that it could not write to its end: removed alone, it would go on filling
    the disk for as long as the process lives.
    """
    with contextlib.suppress(OSError):
        os.truncate(path, 0)
        os.remove(path)


def _epoch_file(epoch: int) -> str:
    return f"epoch-{epoch:05d}{_WEIGHTS}"


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
