"""The records of embedded images: how they are written, and read into arrays.

A record is a serialized `tf.train.Example` with `id`, `class_name`, `split` (bytes), `label`
(int64), `embedding` (float `[D]`, of length 1) and `thumbnail` (JPEG bytes). Files are GZIP
TFRecords `Split-<name>/embeddings-*`.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

FILE_PREFIX = "embeddings"
FILE_SUFFIX = ".tfrecord.gz"


class EmbeddedImage(NamedTuple):
    """One image; `embedding` is float32 `[D]`."""

    identity: bytes
    label: int
    class_name: bytes
    split: bytes
    embedding: np.ndarray
    thumbnail: bytes


@dataclasses.dataclass(frozen=True)
class EmbeddedImages:
    """Images sorted by id.

    Attributes:
        ids: Unique, bytes, `[N]`.
        labels: int64, `[N]`.
        class_names: Bytes, `[N]`.
        embeddings: float32, `[N, D]`.
        thumbnails: JPEG bytes, `[N]`.
    """

    ids: np.ndarray
    labels: np.ndarray
    class_names: np.ndarray
    embeddings: np.ndarray
    thumbnails: np.ndarray

    def __len__(self) -> int:
        """Returns N."""
        return len(self.ids)


def split_folder(uri: str, split: str) -> str:
    """Returns the folder of a split within the artifact."""
    return os.path.join(uri, f"Split-{split}")


def embedded_splits(uri: str) -> tuple[str, ...]:
    """Returns the splits in the artifact: train, validation, test, then others by name."""
    folders = [os.path.basename(name.rstrip("/")) for name in tf.io.gfile.listdir(uri)]
    found = {name.removeprefix("Split-") for name in folders if name.startswith("Split-")}
    usual = [split for split in ("train", "validation", "test") if split in found]
    return (*usual, *sorted(found - {*usual}))


def pattern(uri: str, split: str) -> str:
    """Returns the pattern of a split's files within the artifact."""
    return os.path.join(split_folder(uri, split), f"{FILE_PREFIX}-*")


def encode(image: EmbeddedImage) -> bytes:
    """Serializes one image."""

    def text(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    return tf.train.Example(
        features=tf.train.Features(
            feature={
                "id": text(image.identity),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[image.label])),
                "class_name": text(image.class_name),
                "split": text(image.split),
                "embedding": tf.train.Feature(float_list=tf.train.FloatList(value=image.embedding)),
                "thumbnail": text(image.thumbnail),
            }
        )
    ).SerializeToString()


def decode(record: bytes) -> EmbeddedImage:
    """Reads what `encode` has serialized."""
    feature = tf.train.Example.FromString(record).features.feature

    def text(name: str) -> bytes:
        return feature[name].bytes_list.value[0]

    return EmbeddedImage(
        identity=text("id"),
        label=feature["label"].int64_list.value[0],
        class_name=text("class_name"),
        split=text("split"),
        embedding=np.asarray(feature["embedding"].float_list.value, np.float32),
        thumbnail=text("thumbnail"),
    )


def read(uri: str, splits: Iterable[str]) -> EmbeddedImages:
    """Reads splits into arrays; memory is that of the result.

    Raises:
        ValueError: No image in these splits, or two with one id.
    """
    splits = list(splits)
    files = [path for split in splits for path in tf.io.gfile.glob(pattern(uri, split))]
    dataset = tf.data.TFRecordDataset(sorted(files), "GZIP")
    images = sorted(map(decode, dataset.as_numpy_iterator()), key=lambda image: image.identity)
    if not images:
        raise ValueError(f"no image of split {' or '.join(splits)} is embedded")
    for one, other in itertools.pairwise(images):
        if one.identity == other.identity:
            raise ValueError(f"several images have the id {one.identity!r}")
    return EmbeddedImages(
        ids=np.array([image.identity for image in images], object),
        labels=np.array([image.label for image in images], np.int64),
        class_names=np.array([image.class_name for image in images], object),
        embeddings=np.stack([image.embedding for image in images]),
        thumbnails=np.array([image.thumbnail for image in images], object),
    )
