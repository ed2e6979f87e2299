"""Batches of P classes with K images each, from a stream in which the classes come in any order.

Such batches hold positives and negatives for every image, and each class as often as any other,
however many images it has. Nothing is known of the stream but the counts of its classes; it is
read front to back, again and again, and nothing is sorted or sought.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

# Groups in memory, as multiples of P: those that wait for a batch without their class, and those
# that are shuffled, lest the repeats of one group follow each other.
_WAITING = 2
_MIXED = 8

Example = tuple[tf.Tensor, tf.Tensor]


def class_balanced_batches(
    examples: tf.data.Dataset,
    class_counts: Sequence[int],
    *,
    classes: int,
    images: int,
    shuffle_buffer: int,
    seed: int,
) -> tf.data.Dataset:
    """Makes an endless stream of P × K batches of serialized examples.

    K images that follow each other within a class make a group, and the P groups that have waited
    longest, each of another class, make a batch. In each pass over the shuffled stream a class
    gives T / K groups on average, T being the median of the counts and at least K: of a larger
    class a share of the images is drawn, of a smaller one groups come repeatedly. Memory holds,
    beside the shuffle's buffer, up to K − 1 images of each class and 10 · P groups.

    The result depends on the stream and the seed alone.

    Args:
        examples: One pass: `(serialized example, class index)`, scalars.
        class_counts: Images of each class in a pass, by class index.
        classes: P, classes in a batch.
        images: K, images of each.
        shuffle_buffer: Examples held for the shuffle.
        seed: Of what is drawn.

    Returns:
        Endless batches `(serialized [P · K], class index [P · K] int64)`, class by class. Where
        too few classes are waiting, which chance does to datasets of few classes, one may come
        twice.

    Raises:
        ValueError: There are fewer than P classes.
    """
    counts = np.maximum(np.asarray(class_counts, np.float64), 1.0)
    if len(counts) < classes:
        raise ValueError(
            f"a batch of {classes} classes is asked for, but the training split has {len(counts)}"
        )
    share = tf.constant(np.maximum(np.median(counts), images) / counts, tf.float32)

    def uniform(number: tf.Tensor, purpose: int) -> tf.Tensor:
        key = tf.stack([tf.constant(2 * seed + purpose, tf.int64), number])
        return tf.random.stateless_uniform([], key)

    def is_drawn(number: tf.Tensor, example: Example) -> tf.Tensor:
        return uniform(number, 0) < share[example[1]]

    def repeat(number: tf.Tensor, group: Example) -> tf.data.Dataset:
        times = tf.floor(tf.maximum(share[group[1][0]], 1.0) + uniform(number, 1))
        return tf.data.Dataset.from_tensors(group).repeat(tf.cast(times, tf.int64))

    groups = (
        # Shuffled pass by pass, so that an image seldom meets itself in a group.
        examples.shuffle(shuffle_buffer, seed=seed)
        .repeat()
        .enumerate()
        .filter(is_drawn)
        .map(lambda _, example: example)
        .group_by_window(
            key_func=lambda _, index: index,
            reduce_func=lambda _, group: group.batch(images),
            window_size=images,
        )
        .enumerate()
        .flat_map(repeat)
        .shuffle(_MIXED * classes, seed=seed)
    )
    return _distinct(groups.batch(classes, drop_remainder=True), classes, images)


def _distinct(blocks: tf.data.Dataset, classes: int, images: int) -> tf.data.Dataset:
    """Reorders groups so that each batch has no class twice.

    Args:
        blocks: P groups at a time: `(serialized [P, K], class index [P, K])`.
        classes: P.
        images: K.
    """
    waiting = _WAITING * classes
    empty = (
        tf.fill([waiting, images], tf.constant(b"")),
        tf.fill([waiting, images], tf.constant(-1, tf.int64)),
    )

    def step(pool: Example, block: Example) -> tuple[Example, Example]:
        data = tf.concat([pool[0], block[0]], axis=0)
        index = tf.concat([pool[1], block[1]], axis=0)
        data.set_shape([waiting + classes, images])
        index.set_shape([waiting + classes, images])
        of_group = index[:, 0]
        position = tf.range(waiting + classes)
        # Whether a group of the same class waits longer already. The empty places stand in front
        # and are the first to leave, after which the pool is full for good.
        earlier = position[tf.newaxis, :] < position[:, tf.newaxis]
        same = of_group[:, tf.newaxis] == of_group[tf.newaxis, :]
        is_second = tf.reduce_any(same & earlier, axis=1) & (of_group >= 0)
        rank = position + tf.cast(is_second, tf.int32) * (waiting + classes)
        order = tf.argsort(rank)
        chosen, left = order[:classes], tf.sort(order[classes:])
        batch = (
            tf.reshape(tf.gather(data, chosen), [classes * images]),
            tf.reshape(tf.gather(index, chosen), [classes * images]),
        )
        return (tf.gather(data, left), tf.gather(index, left)), batch

    return blocks.scan(empty, step).filter(lambda _, index: index[0] >= 0)
