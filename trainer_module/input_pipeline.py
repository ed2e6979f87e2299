"""`tf.data` from transformed examples to batches the network takes."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from trainer_module import features, images
from trainer_module.augmentation import augment
from trainer_module.class_balanced import class_balanced_batches
from trainer_module.config import TrainerConfig

# Images held for shuffling. Those that are not cached are encoded: at about 170 kB for 256 × 384
# pixels some 350 MB.
SHUFFLE_BUFFER = 2048

# Length by breadth of the photos that the size of the cache is estimated for.
TYPICAL_ASPECT = 1.5

Batch = tuple[tf.Tensor, tf.Tensor]


def _records(patterns: Sequence[str]) -> tf.data.Dataset:
    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    if not files:
        raise ValueError(f"no transformed examples match {list(patterns)}")
    return tf.data.TFRecordDataset(files, compression_type="GZIP")


def training_batches(
    patterns: Sequence[str],
    config: TrainerConfig,
    *,
    class_counts: Sequence[int],
    start_step: int = 0,
) -> tf.data.Dataset:
    """Shuffled, augmented training batches without end.

    The stream depends on the seed alone: started at step n it goes on exactly as the stream
    started at 0 does after n batches, so that an interrupted training resumes with the images it
    would have seen.

    Args:
        patterns: File patterns of the transformed training split.
        config: Batch size and make-up, input size, augmentation and seed.
        class_counts: Images of each class, by class index.
        start_step: Batches to pass over.

    Returns:
        Batches of `(images [B, S, S, 3] float32 in 0 … 255, class_index [B] int64)`.

    Raises:
        ValueError: No file matches, or there are too few classes for class-balanced batches.
        tf.errors.InvalidArgumentError: While reading, an image of a class that there is not.
    """
    training = config.training
    size = training.input_size or config.model.input_size
    change = training.augmentation
    cached = _fits_cache(config, sum(class_counts))

    def read(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # Compiled losses cannot raise: they would give NaN.
        example = _parse_one(record)
        stored, index = example[features.IMAGE], example[features.CLASS_INDEX]
        known = tf.logical_and(index >= 0, index < len(class_counts))
        message = ["class_index out of range; it and the number of classes:"]
        with tf.control_dependencies([tf.Assert(known, [*message, index, len(class_counts)])]):
            index = tf.identity(index)
        # As a string, images of any shape go through what follows.
        return tf.io.serialize_tensor(images.decode_canonical(stored)) if cached else stored, index

    def prepare(number: tf.Tensor, example: tuple[tf.Tensor, tf.Tensor]) -> Batch:
        stored, index = example
        if cached:
            canonical = tf.ensure_shape(tf.io.parse_tensor(stored, tf.uint8), [None, None, 3])
        else:
            canonical = images.decode_canonical(stored)
        image = augment(
            canonical,
            size,
            tf.stack([tf.constant(training.seed, tf.int64), number]),
            min_area=change.min_area,
            flip=change.flip,
            color=change.color,
            erasing=change.erasing,
        )
        return image, index

    examples = _records(patterns).map(read, num_parallel_calls=tf.data.AUTOTUNE)
    if cached:
        examples = examples.cache()
    if training.images_per_class:
        batches = class_balanced_batches(
            examples,
            class_counts,
            classes=training.batch_size // training.images_per_class,
            images=training.images_per_class,
            shuffle_buffer=SHUFFLE_BUFFER,
            seed=training.seed,
        )
        stream = batches.skip(start_step).unbatch().enumerate(start_step * training.batch_size)
    else:
        stream = examples.shuffle(SHUFFLE_BUFFER, seed=training.seed).repeat().enumerate()
        stream = stream.skip(start_step * training.batch_size)
    return (
        stream.map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(training.batch_size, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def _fits_cache(config: TrainerConfig, num_images: int) -> bool:
    """Whether the canonical images, decoded, take no more memory than the settings allow."""
    pixels = TYPICAL_ASPECT * config.canonical_size**2
    return num_images * 3 * pixels <= config.training.cache_mb * 1e6


def _parse_one(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    parsed = features.parse_transformed(serialized[tf.newaxis])
    return {name: values[0] for name, values in parsed.items()}


def evaluation_batches(
    patterns: Sequence[str], *, input_size: int, batch_size: int = 64
) -> tf.data.Dataset:
    """Every image once, in a fixed order, without augmentation.

    Args:
        patterns: File patterns of a transformed split.
        input_size: Side S of the images in pixels.
        batch_size: B.

    Returns:
        Batches of `(images [B, S, S, 3] float32 in 0 … 255, label [B] int64)`; the label is the
        dataset's, not the position in the vocabulary, so that unseen classes keep theirs.
    """

    def prepare(serialized: tf.Tensor) -> Batch:
        example = _parse_one(serialized)
        canonical = images.decode_canonical(example[features.IMAGE])
        return images.to_network_input(canonical, input_size), example[features.LABEL]

    return (
        _records(patterns)
        .map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )
