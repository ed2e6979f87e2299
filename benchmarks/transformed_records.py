"""A prepared TFDS dataset as the files that Transform writes, for benchmarks of training alone.

It decodes with the pipeline's own functions and leaves TFX, Beam and metadata out.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Iterator

import numpy as np


@dataclasses.dataclass(frozen=True)
class Records:
    """Transformed splits on disk.

    Attributes:
        patterns: File of each split.
        class_counts: Training images of each class, by class index.
    """

    patterns: dict[str, list[str]]
    class_counts: list[int]


def dataset_folder(name: str, data_dir: str | None) -> str:
    """Returns the prepared folder of a TFDS dataset.

    Raises:
        FileNotFoundError: It is not there.
    """
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=data_dir)
    if not pathlib.Path(builder.data_dir).is_dir():
        raise FileNotFoundError(
            f"{name} is not prepared in {builder.data_dir}: flowersim prepare --preset flowers102 "
            "downloads it"
        )
    return str(builder.data_dir)


def write_records(
    dataset: str, folder: pathlib.Path, *, canonical_size: int, splits: tuple[str, ...]
) -> Records:
    """Writes splits that are not there yet.

    Args:
        dataset: The prepared TFDS folder.
        folder: Where the files go; made if it does not exist.
        canonical_size: Shorter side of stored images in pixels.
        splits: `train`, `validation`, `test`.

    Returns:
        Where they are, and the counts of the training split.
    """
    import tensorflow as tf

    from trainer_module import features

    folder.mkdir(parents=True, exist_ok=True)
    patterns, counts = {}, np.zeros(0, np.int64)
    for split in splits:
        path = folder / f"{split}-{canonical_size}.gz"
        patterns[split] = [str(path)]
        if not path.exists():
            _write(path, _canonical(dataset, split, canonical_size))
        if split == "train":
            records = tf.data.TFRecordDataset(str(path), "GZIP").batch(4096)
            labels = [features.parse_transformed(batch)[features.LABEL] for batch in records]
            counts = np.bincount(np.concatenate(labels))
    return Records(patterns, counts.tolist())


def write_made_up_records(
    folder: pathlib.Path, *, canonical_size: int, classes: int = 16, each: int = 16
) -> Records:
    """Writes a training split of images that compress about as photos do."""
    import tensorflow as tf

    from benchmarks.image_storage import synthetic_photo
    from trainer_module import images

    def examples() -> Iterator[tuple[bytes, int]]:
        for number in range(classes * each):
            pixels = synthetic_photo(number, canonical_size)
            yield images.encode_png(tf.constant(pixels)).numpy(), number % classes

    path = folder / f"made-up-{canonical_size}.gz"
    _write(path, examples())
    return Records({"train": [str(path)]}, [each] * classes)


def _write(path: pathlib.Path, examples: Iterable[tuple[bytes, int]]) -> None:
    """Writes PNGs and labels as transformed examples; the file appears whole or not at all."""
    import tensorflow as tf

    from trainer_module import features

    partial = path.with_suffix(".partial")
    with tf.io.TFRecordWriter(str(partial), "GZIP") as writer:
        for png, label in examples:
            example = tf.train.Example()
            example.features.feature[features.IMAGE].bytes_list.value.append(png)
            for name in (features.LABEL, features.CLASS_INDEX):
                example.features.feature[name].int64_list.value.append(label)
            writer.write(example.SerializeToString())
    partial.replace(path)


def _canonical(dataset: str, split: str, size: int) -> Iterator[tuple[bytes, int]]:
    """Canonical images as PNG, and their labels."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    from pipeline.sample_query import stored_images
    from trainer_module import images

    encode = tf.function(
        lambda encoded: images.encode_png(images.canonical(encoded, size)),
        input_signature=[tf.TensorSpec([], tf.string)],
    )
    names = tfds.builder_from_directory(dataset).info.features["label"].names
    index = {name: position for position, name in enumerate(names)}
    for _, class_name, encoded in stored_images(dataset, split):
        yield encode(encoded).numpy(), index[class_name]
