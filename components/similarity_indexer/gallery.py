"""The gallery that is indexed: images of the dataset, with what was added and removed by hand."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from absl import logging

from components.image_embedder.records import EmbeddedImages


def without(images: EmbeddedImages, removed: Collection[str]) -> EmbeddedImages:
    """Returns the images whose ids are not among those removed; there may be none."""
    gone = {identity.encode() for identity in removed}
    return _take(images, np.array([identity not in gone for identity in images.ids], bool))


def with_added(images: EmbeddedImages, added: EmbeddedImages) -> EmbeddedImages:
    """Returns all images, sorted by id.

    An added photo of a class that the images have gets that class's label. Where an id is in both,
    the dataset's image is taken: somebody added the photo first and put it into the dataset later.

    Args:
        images: Of the dataset.
        added: Photos with labels of their own, by `edits.unseen_label`.
    """
    both = np.isin(added.ids, images.ids)
    if both.any():
        logging.warning(
            "Added photos that the dataset has too, whose images are taken: %s.",
            ", ".join(identity.decode() for identity in added.ids[both]),
        )
        added = _take(added, ~both)
    label_of = dict(zip(images.class_names, images.labels, strict=True))
    labels = [
        label_of.get(name, label)
        for name, label in zip(added.class_names, added.labels, strict=True)
    ]
    together = EmbeddedImages(
        ids=np.concatenate([images.ids, added.ids]),
        labels=np.concatenate([images.labels, np.array(labels, np.int64)]),
        class_names=np.concatenate([images.class_names, added.class_names]),
        embeddings=np.concatenate([images.embeddings, added.embeddings]),
        thumbnails=np.concatenate([images.thumbnails, added.thumbnails]),
    )
    return _take(together, np.argsort(together.ids, kind="stable"))


def _take(images: EmbeddedImages, rows: np.ndarray) -> EmbeddedImages:
    return EmbeddedImages(
        ids=images.ids[rows],
        labels=images.labels[rows],
        class_names=images.class_names[rows],
        embeddings=images.embeddings[rows],
        thumbnails=images.thumbnails[rows],
    )
