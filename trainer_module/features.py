"""Names of the features that examples carry before and after Transform, and how to parse them.

The one place where ingestion, Transform, training, evaluation and indexing agree on spelling.
"""

from __future__ import annotations

import tensorflow as tf

IMAGE = "image"
LABEL = "label"
CLASS_NAME = "class_name"
ID = "id"
SPLIT = "split"

# Written by Transform: position in the class vocabulary, −1 for a class absent from training.
CLASS_INDEX = "class_index"

VOCABULARY = "classes"
CLASS_COUNTS = "class_counts"


def parse_raw(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parses examples as ExampleGen writes them.

    Args:
        serialized: Serialized `tf.train.Example`s, string `[B]`.

    Returns:
        `image`, `class_name`, `id`, `split`: string `[B]`; `label`: int64 `[B]`.
    """
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in (IMAGE, CLASS_NAME, ID, SPLIT)}
    spec[LABEL] = tf.io.FixedLenFeature([], tf.int64)
    return tf.io.parse_example(serialized, spec)


def parse_image(serialized: tf.Tensor) -> tf.Tensor:
    """Takes only the encoded image out of serialized examples: string `[B]` to string `[B]`."""
    return tf.io.parse_example(serialized, {IMAGE: tf.io.FixedLenFeature([], tf.string)})[IMAGE]


def parse_transformed(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parses examples as Transform writes them.

    Args:
        serialized: Serialized `tf.train.Example`s, string `[B]`.

    Returns:
        `image`: canonical image as PNG, string `[B]`; `label`, `class_index`: int64 `[B]`.
    """
    return tf.io.parse_example(
        serialized,
        {
            IMAGE: tf.io.FixedLenFeature([], tf.string),
            LABEL: tf.io.FixedLenFeature([], tf.int64),
            CLASS_INDEX: tf.io.FixedLenFeature([], tf.int64),
        },
    )
