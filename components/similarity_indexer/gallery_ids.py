"""Which images a servable model can find, read from its variables without loading the graph.

For whoever must know what a pushed version holds: `flowersim index` and `flowersim rollback`.
"""

from __future__ import annotations

import os

import tensorflow as tf

from components.gallery_edit.ledger import GalleryError
from components.similarity_indexer.servable import CLASS_NAMES_VARIABLE, IDS_VARIABLE

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def gallery_images(folder: str) -> dict[str, str]:
    """Returns the class name of every image of a servable's gallery, by id.

    Args:
        folder: A SavedModel as `servable.save` writes it.

    Raises:
        GalleryError: It is none; the message names the folder.
    """
    try:
        reader = tf.train.load_checkpoint(os.path.join(folder, "variables", "variables"))
        ids = reader.get_tensor(IDS_VARIABLE + _SUFFIX)
        names = reader.get_tensor(CLASS_NAMES_VARIABLE + _SUFFIX)
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise GalleryError(f"{folder} is no similarity model: {error}") from error
    # The last entry is padding.
    return {
        identity.decode(): name.decode() for identity, name in zip(ids[:-1], names, strict=False)
    }
