"""Transform's preprocessing: the canonical image, and the class vocabulary from the data.

Nothing here depends on the network; augmentation and resizing to the network's input happen later,
in `input_pipeline.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from trainer_module import features, images

CANONICAL_SIZE_KEY = "canonical_size"


def preprocessing_fn(
    inputs: Mapping[str, tf.Tensor], custom_config: Mapping[str, Any]
) -> dict[str, tf.Tensor]:
    """Maps a batch of raw examples to transformed ones.

    Args:
        inputs: `image`, `class_name`, `id` (string) and `label` (int64), each `[B, 1]`.
        custom_config: Holds `canonical_size`, the shorter side of canonical images in pixels.

    Returns:
        `image` (PNG), `id` (string `[B]`), `label` and `class_index` (int64 `[B]`).
    """
    size = int(custom_config[CANONICAL_SIZE_KEY])
    class_name = tf.squeeze(inputs[features.CLASS_NAME], axis=1)
    tft.vocabulary(class_name, vocab_filename=features.CLASS_COUNTS, store_frequency=True)
    return {
        # One image at a time: decoded photos, not encoded ones, are what fills memory.
        features.IMAGE: tf.map_fn(
            lambda encoded: images.encode_png(images.canonical(encoded, size)),
            tf.squeeze(inputs[features.IMAGE], axis=1),
            fn_output_signature=tf.TensorSpec([], tf.string),
            parallel_iterations=1,
        ),
        features.ID: tf.squeeze(inputs[features.ID], axis=1),
        features.LABEL: tf.squeeze(inputs[features.LABEL], axis=1),
        features.CLASS_INDEX: tft.compute_and_apply_vocabulary(
            class_name, default_value=-1, vocab_filename=features.VOCABULARY
        ),
    }


def class_counts(transform_output: tft.TFTransformOutput) -> dict[str, int]:
    """Reads the classes of the training split and how many images each has.

    Returns:
        Count by class name, in the order of `class_index`.
    """
    counts = {}
    path = transform_output.vocabulary_file_by_name(features.CLASS_COUNTS)
    with tf.io.gfile.GFile(path) as file:
        for line in file:
            count, _, name = line.rstrip("\n").partition(" ")
            counts[name] = int(count)
    vocabulary = transform_output.vocabulary_by_name(features.VOCABULARY)
    return {name.decode(): counts[name.decode()] for name in vocabulary}
