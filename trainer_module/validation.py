"""Retrieval quality on the validation split while training; it picks the checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from retrieval.metrics import retrieval_metrics
from retrieval.separation import class_separation
from trainer_module.health import center_health

TRACKED = ("recall_at_1", "map_at_r")
MONITOR = "val_map_at_r"


def embed_all(
    embed: Callable[[Any], Any], batches: tf.data.Dataset
) -> tuple[np.ndarray, np.ndarray]:
    """Returns embeddings `[N, D]` and labels `[N]` of batches of `(images, labels)`."""
    embeddings, labels = [], []
    for images, batch_labels in batches:
        embeddings.append(embed(images).numpy())
        labels.append(batch_labels.numpy())
    return np.concatenate(embeddings), np.concatenate(labels)


def measure(embed: Callable[[Any], Any], batches: tf.data.Dataset) -> dict[str, float]:
    """Leave-one-out retrieval metrics and class separation of an embedding.

    Args:
        embed: Maps images `[B, S, S, 3]` to embeddings `[B, D]`; a `tf.function`, for speed.
        batches: Batches of `(images, labels)`.

    Returns:
        `recall_at_1`, `map_at_r`, `intra_inter` and `between_classes`.
    """
    embeddings, labels = embed_all(embed, batches)
    metrics = retrieval_metrics(embeddings, labels, ks=(1,))
    separation = class_separation(embeddings, labels)
    return {
        **{name: metrics[name] for name in TRACKED},
        "intra_inter": separation["intra_inter"],
        "between_classes": separation["between"],
    }


class RetrievalValidation(keras.callbacks.Callback):
    """Adds what `measure` finds, as `val_…`, and the centers' health to each epoch's logs.

    Must stand before callbacks that read the logs. It embeds as training does, at its input size
    and without the mirror image, which costs a fraction of what is done in use.
    """

    def __init__(self, batches: tf.data.Dataset) -> None:
        """Keeps the validation batches of `(images, labels)`."""
        super().__init__()
        self._batches = batches

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Makes the function that embeds, so that it is traced once and not each epoch."""
        model = self.model
        self._embed = tf.function(lambda images: model.compared(model.pooled(images)))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measures and logs."""
        if logs is None:
            return
        for name, value in measure(self._embed, self._batches).items():
            logs[f"val_{name}"] = value
        logs.update(center_health(self.model.joint_loss))
