"""`tf.data` from transformed examples to batches the network takes."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from trainer_module import features, images
from trainer_module.augmentation import augment
from trainer_module.config import TrainerConfig

# Encoded images held for shuffling; at about 170 kB for 256 × 384 pixels this is some 350 MB.
SHUFFLE_BUFFER = 2048

Batch = tuple[tf.Tensor, tf.Tensor]


def _records(patterns: Sequence[str]) -> tf.data.Dataset:
    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    if not files:
        raise ValueError(f"no transformed examples match {list(patterns)}")
    return tf.data.TFRecordDataset(files, compression_type="GZIP")


def training_batches(
    patterns: Sequence[str], config: TrainerConfig, *, start_step: int = 0
) -> tf.data.Dataset:
    """Shuffled, augmented training batches without end.

    The stream depends on the seed alone: started at step n it goes on exactly as the stream
    started at 0 does after n batches, so that an interrupted training resumes with the images it
    would have seen.

    Args:
        patterns: File patterns of the transformed training split.
        config: Batch size, input size, augmentation and seed.
        start_step: Batches to pass over.

    Returns:
        Batches of `(images [B, S, S, 3] float32 in 0 … 255, class_index [B] int64)`.
    """
    training = config.training
    size = config.model.input_size
    change = training.augmentation

    def prepare(index: tf.Tensor, serialized: tf.Tensor) -> Batch:
        example = tf.nest.map_structure(
            lambda t: t[0], features.parse_transformed(serialized[tf.newaxis])
        )
        image = augment(
            images.decode_canonical(example[features.IMAGE]),
            size,
            tf.stack([tf.constant(training.seed, tf.int64), index]),
            min_area=change.min_area,
            flip=change.flip,
            color=change.color,
            erasing=change.erasing,
        )
        return image, example[features.CLASS_INDEX]

    records = _records(patterns).shuffle(SHUFFLE_BUFFER, seed=training.seed).repeat().enumerate()
    return (
        records.skip(start_step * training.batch_size)
        .map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(training.batch_size, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def evaluation_batches(
    patterns: Sequence[str], config: TrainerConfig, *, batch_size: int = 64
) -> tf.data.Dataset:
    """Every image once, in a fixed order, without augmentation.

    Returns:
        Batches of `(images [B, S, S, 3] float32 in 0 … 255, label [B] int64)`; the label is the
        dataset's, not the position in the vocabulary, so that unseen classes keep theirs.
    """

    def prepare(serialized: tf.Tensor) -> Batch:
        example = tf.nest.map_structure(
            lambda t: t[0], features.parse_transformed(serialized[tf.newaxis])
        )
        canonical = images.decode_canonical(example[features.IMAGE])
        return images.to_network_input(canonical, config.model.input_size), example[features.LABEL]

    return (
        _records(patterns)
        .map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )
