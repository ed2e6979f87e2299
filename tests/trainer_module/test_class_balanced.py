"""P × K batches from streams whose classes are of very different size and in no order."""

from __future__ import annotations

import collections
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.class_balanced import class_balanced_batches

COUNTS = [1, 10, 10, 10, 50, 3, 10, 10, 10, 10]


def _stream(counts: Sequence[int], seed: int = 0) -> tf.data.Dataset:
    items = [(f"{c}-{i}".encode(), c) for c, count in enumerate(counts) for i in range(count)]
    np.random.default_rng(seed).shuffle(items)
    names, classes = zip(*items, strict=True)
    return tf.data.Dataset.from_tensor_slices((list(names), np.array(classes, np.int64)))


def _batches(
    counts: Sequence[int], number: int, *, classes: int = 4, images: int = 3, seed: int = 1
) -> list[tuple[np.ndarray, np.ndarray]]:
    """`number` batches as `(names [P, K], class index [P, K])`."""
    dataset = class_balanced_batches(
        _stream(counts), counts, classes=classes, images=images, shuffle_buffer=200, seed=seed
    )
    return [
        (data.numpy().reshape(classes, images), index.numpy().reshape(classes, images))
        for data, index in dataset.take(number)
    ]


def test_every_batch_has_p_classes_with_k_images_each() -> None:
    for names, index in _batches(COUNTS, 200):
        assert (index == index[:, :1]).all()
        assert len(set(index[:, 0])) == 4
        for row, label in zip(names, index[:, 0], strict=True):
            assert {int(name.split(b"-")[0]) for name in row} == {label}


def test_classes_come_equally_often_and_images_of_a_class_too() -> None:
    batches = _batches(COUNTS, 600)
    classes = collections.Counter(int(c) for _, index in batches for c in index[:, 0])
    expected = 600 * 4 / len(COUNTS)
    assert all(abs(classes[c] - expected) < 0.1 * expected for c in range(len(COUNTS)))
    images = collections.Counter(name for names, _ in batches for name in names.ravel())
    of_the_large = [images[f"4-{i}".encode()] for i in range(50)]
    assert min(of_the_large) > 0  # a share is drawn anew in each pass: no image is lost
    of_one = [images[f"2-{i}".encode()] for i in range(10)]
    assert max(of_one) < 1.5 * min(of_one)


def test_a_group_seldom_holds_an_image_twice() -> None:
    rows = [row for names, index in _batches(COUNTS, 300) for row in names]
    large = [row for row in rows if COUNTS[int(row[0].split(b"-")[0])] >= 3]
    assert np.mean([len(set(row)) < 3 for row in large]) < 0.1


def test_the_seed_alone_decides_and_a_stream_can_be_taken_up_again() -> None:
    whole = _batches(COUNTS, 8)
    again = _batches(COUNTS, 8)
    other = _batches(COUNTS, 8, seed=2)
    flat = [names.tolist() for names, _ in whole]
    assert flat == [names.tolist() for names, _ in again]
    assert flat != [names.tolist() for names, _ in other]
    resumed = class_balanced_batches(
        _stream(COUNTS), COUNTS, classes=4, images=3, shuffle_buffer=200, seed=1
    ).skip(5)
    assert flat[5:] == [d.numpy().reshape(4, 3).tolist() for d, _ in resumed.take(3)]


def test_as_many_classes_as_there_are() -> None:
    batches = _batches([5, 5], 50, classes=2, images=2)
    assert np.mean([len(set(index[:, 0])) == 2 for _, index in batches]) > 0.9


def test_too_few_classes_are_named() -> None:
    with pytest.raises(ValueError, match="of 4 classes is asked for, but the training split has 3"):
        _batches([5, 5, 5], 1)
