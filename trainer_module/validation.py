"""Retrieval quality on the validation split while training; it picks the checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from retrieval.metrics import retrieval_metrics

TRACKED = ("recall_at_1", "map_at_r")
MONITOR = "val_map_at_r"


def measure(embed: Callable[[Any], Any], batches: tf.data.Dataset) -> dict[str, float]:
    """Leave-one-out retrieval metrics of an embedding.

    Args:
        embed: Maps images `[B, S, S, 3]` to embeddings `[B, D]`; a `tf.function`, for speed.
        batches: Batches of `(images, labels)`.

    Returns:
        `recall_at_1` and `map_at_r`.
    """
    embeddings, labels = [], []
    for images, batch_labels in batches:
        embeddings.append(embed(images).numpy())
        labels.append(batch_labels.numpy())
    metrics = retrieval_metrics(np.concatenate(embeddings), np.concatenate(labels), ks=(1,))
    return {name: metrics[name] for name in TRACKED}


class RetrievalValidation(keras.callbacks.Callback):
    """Adds `val_recall_at_1` and `val_map_at_r` to each epoch's logs.

    Must stand before callbacks that read the logs.
    """

    def __init__(self, batches: tf.data.Dataset) -> None:
        """Keeps the validation batches of `(images, labels)`."""
        super().__init__()
        self._batches = batches

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Makes the function that embeds, so that it is traced once and not each epoch."""
        self._embed = tf.function(self.model.embed)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measures and logs."""
        if logs is not None:
            for name, value in measure(self._embed, self._batches).items():
                logs[f"val_{name}"] = value
