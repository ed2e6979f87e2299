"""The served model as the monitor uses it: photos to embeddings, and these to their best scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from components.similarity_indexer.servable import CLASS_NAMES_VARIABLE, IDS_VARIABLE
from retrieval.search import top_k

# What the model answers where it finds nothing.
_NO_SCORE = -1.0


class ServedModel:
    """A version folder, loaded.

    Its gallery is always searched exactly, also where it is served with a routed search: what that
    one misses would look like photos that are far from everything.

    Attributes:
        threshold: Cosine from which on a neighbour counts as a match; inf for never.

    Args:
        folder: A SavedModel as `servable.save` writes it.

    Raises:
        ValueError: It is none; the message names the folder.
    """

    def __init__(self, folder: str) -> None:
        self._model = tf.saved_model.load(folder)
        parts = ("searched", IDS_VARIABLE, CLASS_NAMES_VARIABLE, "threshold", "embed")
        if missing := [part for part in parts if not hasattr(self._model, part)]:
            raise ValueError(f"{folder} is no similarity model: it has no {', '.join(missing)}")
        self.threshold = float(self._model.threshold.numpy())
        rows = self._model.searched.rows.numpy()
        ids = self._model.ids.numpy()[:-1]  # the last is padding
        # A routed gallery is sorted by cells.
        order = getattr(self._model.searched, "order", None)
        self._rows, self._ids = rows, ids if order is None else ids[order.numpy()[:-1]]

    def embed(self, images: Sequence[bytes]) -> list[np.ndarray | None]:
        """Embeds photos: float32 [D] each, None for one that cannot be decoded."""
        try:
            found = self._model.signatures["embed"](tf.constant(list(images), tf.string))
        except tf.errors.InvalidArgumentError:
            # One of them spoils the batch.
            if len(images) == 1:
                return [None]
            return [embedding for image in images for embedding in self.embed([image])]
        return list(found["embedding"].numpy())

    def best_scores(self, embeddings: np.ndarray, ids: np.ndarray | None = None) -> np.ndarray:
        """The cosine of the nearest gallery image.

        Args:
            embeddings: [Q, D].
            ids: Of images of the dataset, bytes [Q], which are not found themselves; None for
                photos that have none.

        Returns:
            float32 [Q]; −1 where there is no image.
        """
        if not len(embeddings):
            return np.empty(0, np.float32)
        identities = {} if ids is None else {"query_ids": ids, "gallery_ids": self._ids}
        scores, _ = top_k(embeddings, self._rows, 1, **identities)
        return np.where(np.isfinite(scores[:, 0]), scores[:, 0], np.float32(_NO_SCORE))
