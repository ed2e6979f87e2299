"""Training batches from transformed records: what is in them, and what is refused."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.trainer_config import trainer_config
from trainer_module import features, images
from trainer_module.config import TrainerConfig
from trainer_module.input_pipeline import evaluation_batches, training_batches

SIDE, CLASSES, EACH = 32, 4, 5


@pytest.fixture(scope="module")
def write_records(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[str]]:
    """Gives `write_records(class_indices)`: a file of one-coloured images, brighter by position."""
    folder = tmp_path_factory.mktemp("records")

    def write(name: str, class_indices: list[int]) -> list[str]:
        path = folder / name
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for position, class_index in enumerate(class_indices):
                pixels = np.full((SIDE, SIDE, 3), 10 * position % 256, np.uint8)
                example = tf.train.Example()
                png = images.encode_png(tf.constant(pixels)).numpy()
                example.features.feature[features.IMAGE].bytes_list.value.append(png)
                example.features.feature[features.CLASS_INDEX].int64_list.value.append(class_index)
                example.features.feature[features.LABEL].int64_list.value.append(class_index + 100)
                writer.write(example.SerializeToString())
        return [str(path)]

    return write


def _config(*overrides: str) -> TrainerConfig:
    return trainer_config(
        "demo",
        f"images.canonical_size={SIDE}",
        f"model.input_size={SIDE}",
        "training.batch_size=4",
        "training.augmentation.color=0",
        "training.augmentation.erasing=0",
        *overrides,
    )


@pytest.mark.parametrize("images_per_class", [0, 2])
def test_batches_hold_what_was_stored_with_its_class(
    write_records: Callable[..., list[str]], images_per_class: int
) -> None:
    classes = [index % CLASSES for index in range(CLASSES * EACH)]
    patterns = write_records("good.gz", classes)
    config = _config(f"training.images_per_class={images_per_class}", "training.input_size=48")
    batches = training_batches(patterns, config, class_counts=[EACH] * CLASSES)
    seen = set()
    for pixels, labels in batches.take(25):
        assert pixels.shape == (4, 48, 48, 3) and labels.shape == (4,)
        positions = np.rint(pixels.numpy().mean(axis=(1, 2, 3)) / 10).astype(int)
        np.testing.assert_array_equal([classes[p] for p in positions], labels)
        if images_per_class:
            assert sorted(np.bincount(labels)[np.unique(labels)]) == [2, 2]
        seen.update(positions)
    assert seen == set(range(CLASSES * EACH))


@pytest.mark.parametrize("images_per_class", [0, 2])
def test_a_stream_that_is_taken_up_again_is_the_same(
    write_records: Callable[..., list[str]], images_per_class: int
) -> None:
    patterns = write_records("again.gz", [index % CLASSES for index in range(CLASSES * EACH)])
    config = _config(f"training.images_per_class={images_per_class}")
    counts = [EACH] * CLASSES
    from_start = training_batches(patterns, config, class_counts=counts)
    whole = list(from_start.take(5).as_numpy_iterator())
    rest = training_batches(patterns, config, class_counts=counts, start_step=3).take(2)
    for (pixels, labels), (expected, expected_labels) in zip(
        rest.as_numpy_iterator(), whole[3:], strict=True
    ):
        np.testing.assert_array_equal(pixels, expected)
        np.testing.assert_array_equal(labels, expected_labels)


@pytest.mark.parametrize("images_per_class", [0, 2])
def test_the_cache_changes_nothing(
    write_records: Callable[..., list[str]], images_per_class: int
) -> None:
    patterns = write_records("cached.gz", [index % CLASSES for index in range(CLASSES * EACH)])
    taken = []
    for megabytes in (0, 1):
        config = _config(
            f"training.images_per_class={images_per_class}", f"training.cache_mb={megabytes}"
        )
        batches = training_batches(patterns, config, class_counts=[EACH] * CLASSES)
        taken.append(list(batches.take(12).as_numpy_iterator()))
    for (pixels, labels), (cached, cached_labels) in zip(*taken, strict=True):
        np.testing.assert_array_equal(cached, pixels)
        np.testing.assert_array_equal(cached_labels, labels)


# 20 images of 32 × 48 pixels or so are 92,160 bytes.
@pytest.mark.parametrize(("count", "reads_again"), [(20, False), (300, True)])
def test_images_that_fit_the_cache_are_read_once(
    write_records: Callable[..., list[str]], count: int, reads_again: bool
) -> None:
    patterns = write_records("gone.gz", [index % CLASSES for index in range(count)])
    config = _config("training.cache_mb=1")
    batches = iter(training_batches(patterns, config, class_counts=[count // CLASSES] * CLASSES))
    next(batches)
    pathlib.Path(patterns[0]).unlink()
    more = count // 4 * 3
    if reads_again:
        with pytest.raises(tf.errors.NotFoundError):
            [next(batches) for _ in range(more)]
    else:
        assert len([next(batches) for _ in range(more)]) == more


@pytest.mark.parametrize("images_per_class", [0, 2])
@pytest.mark.parametrize("bad", [-1, CLASSES])
def test_a_class_that_there_is_not_is_told(
    write_records: Callable[..., list[str]], bad: int, images_per_class: int
) -> None:
    patterns = write_records(f"bad{bad}.gz", [0, 1, 2, bad])
    config = _config(f"training.images_per_class={images_per_class}")
    batches = training_batches(patterns, config, class_counts=[1] * CLASSES)
    with pytest.raises(tf.errors.InvalidArgumentError, match="class_index out of range"):
        next(iter(batches))


def test_evaluation_gives_every_image_once_in_order(
    write_records: Callable[..., list[str]],
) -> None:
    patterns = write_records("evaluation.gz", [0, 1, 2, 3, 0, 1, 2])
    batches = list(evaluation_batches(patterns, input_size=40, batch_size=3).as_numpy_iterator())
    assert [len(labels) for _, labels in batches] == [3, 3, 1]
    pixels = np.concatenate([pixels for pixels, _ in batches])
    assert pixels.shape == (7, 40, 40, 3)
    np.testing.assert_allclose(pixels.mean(axis=(1, 2, 3)), 10 * np.arange(7), atol=0.5)
    labels = np.concatenate([labels for _, labels in batches])
    assert labels.tolist() == [100, 101, 102, 103, 100, 101, 102]


def test_files_that_are_not_there_are_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="no transformed examples match"):
        evaluation_batches([str(tmp_path / "none*")], input_size=32)
