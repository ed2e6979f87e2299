"""The work of GalleryEdit: from the ledger to examples of the added photos, and to the edits."""

from __future__ import annotations

import os

import tensorflow as tf
from absl import logging

from components.gallery_edit import edits, ledger, photo_store
from components.gallery_edit.ledger import GalleryError
from components.tfds_example_gen.images import Image

_SHARD = "data_tfrecord-00000-of-00001.gz"


def publish(folder: str, digest: str, examples_uri: str, edits_uri: str) -> None:
    """Writes both artifacts.

    Args:
        folder: That of the ledger.
        digest: Of the ledger that is meant.
        examples_uri: Gets one split of examples like TfdsExampleGen's, with the original bytes;
            it has no example if nothing was added.
        edits_uri: Gets the edits.

    Raises:
        GalleryError: The ledger is another one by now, or a stored photo is gone or changed.
    """
    found = ledger.read(folder)
    if found.digest != digest:
        raise GalleryError(f"{folder} was changed while the pipeline ran; run it again")
    target = os.path.join(examples_uri, f"Split-{edits.ADDED_SPLIT}")
    tf.io.gfile.makedirs(target)
    with tf.io.TFRecordWriter(os.path.join(target, _SHARD), "GZIP") as writer:
        for photo in found.added:
            image = Image(
                identity=photo.identity,
                split=edits.ADDED_SPLIT,
                label=edits.unseen_label(photo.class_name),
                class_name=photo.class_name,
                content=photo_store.load(folder, photo),
            )
            writer.write(image.example().SerializeToString())
    edits.write(
        edits.Edits(tuple(photo.identity for photo in found.added), frozenset(found.removed)),
        edits_uri,
    )
    logging.info("Gallery: %d added by hand, %d removed.", len(found.added), len(found.removed))
