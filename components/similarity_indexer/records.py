"""The records of an embedded gallery: how they are written, and read into arrays.

A record is a serialized `tf.train.Example` with `id`, `class_name`, `split` (bytes), `label`
(int64), `embedding` (float `[D]`, of length 1) and `thumbnail` (JPEG bytes). Files are GZIP
TFRecords `Split-<name>/index-*`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

FILE_PREFIX = "index"
FILE_SUFFIX = ".tfrecord.gz"


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Images that can be found, sorted by id.

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


def encode(
    *,
    identity: bytes,
    label: int,
    class_name: bytes,
    split: bytes,
    embedding: np.ndarray,
    thumbnail: bytes,
) -> bytes:
    """Serializes one image; `embedding` is float32 `[D]`."""

    def text(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    return tf.train.Example(
        features=tf.train.Features(
            feature={
                "id": text(identity),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                "class_name": text(class_name),
                "split": text(split),
                "embedding": tf.train.Feature(float_list=tf.train.FloatList(value=embedding)),
                "thumbnail": text(thumbnail),
            }
        )
    ).SerializeToString()


def read(uri: str, splits: Iterable[str]) -> Gallery:
    """Reads splits of an index into arrays; memory is that of the result.

    Raises:
        ValueError: No image in these splits, or two with one id.
    """
    splits = list(splits)
    files = [
        path
        for split in splits
        for path in tf.io.gfile.glob(os.path.join(split_folder(uri, split), FILE_PREFIX + "-*"))
    ]
    columns: dict[str, list] = {key: [] for key in ("id", "label", "class_name", "thumbnail")}
    embeddings = []
    for record in tf.data.TFRecordDataset(sorted(files), "GZIP").as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        columns["label"].append(feature["label"].int64_list.value[0])
        for key in ("id", "class_name", "thumbnail"):
            columns[key].append(feature[key].bytes_list.value[0])
        embeddings.append(np.asarray(feature["embedding"].float_list.value, np.float32))
    if not embeddings:
        raise ValueError(f"the index holds no image of split {' or '.join(splits)}")
    ids = np.array(columns["id"], object)
    order = np.argsort(ids, kind="stable")
    repeated = np.flatnonzero(ids[order][1:] == ids[order][:-1])
    if repeated.size:
        raise ValueError(f"several images of the gallery have the id {ids[order][repeated[0]]!r}")
    return Gallery(
        ids=ids[order],
        labels=np.array(columns["label"], np.int64)[order],
        class_names=np.array(columns["class_name"], object)[order],
        embeddings=np.stack(embeddings)[order],
        thumbnails=np.array(columns["thumbnail"], object)[order],
    )
