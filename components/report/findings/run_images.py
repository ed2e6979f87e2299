"""The embedded images of a run, all splits together, in the order in which evaluation ranks ties.

Not the records as such (`components/image_embedder/records.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.image_embedder import records
from retrieval.shards import identity_keys

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class RunImages:
    """Images, sorted by their keys. There may be none.

    Attributes:
        ids: Text, each once, [N].
        keys: `retrieval.shards.identity_keys`, int64 [N], ascending.
        class_names: Names of classes, sorted.
        classes: Position of each image's class among them, int64 [N].
        splits: Text, [N].
        embeddings: As the model gave them, float32 [N, D].
        thumbnails: JPEG bytes, [N].
    """

    ids: npt.NDArray[np.object_]
    keys: Ints
    class_names: tuple[str, ...]
    classes: Ints
    splits: npt.NDArray[np.object_]
    embeddings: npt.NDArray[np.float32]
    thumbnails: npt.NDArray[np.object_]

    def __len__(self) -> int:
        """Returns N."""
        return len(self.ids)

    def among(self, splits: Collection[str]) -> Mask:
        """Which images are in one of some splits, bool [N]."""
        return np.array([split in splits for split in self.splits], bool)

    def with_ids(self, ids: Collection[str]) -> Mask:
        """Which images have one of some ids, bool [N]."""
        return np.array([identity in ids for identity in self.ids], bool)


def read(uri: str, splits: Iterable[str]) -> RunImages:
    """Reads the images of splits, which may be empty.

    Raises:
        ValueError: Two images have one id.
    """
    images = list(_images(uri, splits))
    keys = identity_keys([image.identity for image in images])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    images = [images[row] for row in order]
    if (twice := np.flatnonzero(keys[1:] == keys[:-1])).size:
        raise ValueError(f"several images have the id {images[twice[0]].identity!r}")
    names = [_text(image.class_name) for image in images]
    class_names = sorted(set(names))
    position = {name: place for place, name in enumerate(class_names)}
    return RunImages(
        ids=np.array([_text(image.identity) for image in images], object),
        keys=keys,
        class_names=tuple(class_names),
        classes=np.array([position[name] for name in names], np.int64),
        splits=np.array([_text(image.split) for image in images], object),
        embeddings=(
            np.stack([image.embedding for image in images])
            if images
            else np.empty((0, 1), np.float32)
        ),
        thumbnails=np.array([image.thumbnail for image in images], object),
    )


def _images(uri: str, splits: Iterable[str]) -> Iterator[records.EmbeddedImage]:
    """`records.read` takes a split without images for a mistake; here it is one more finding."""
    for split in splits:
        if files := sorted(tf.io.gfile.glob(records.pattern(uri, split))):
            for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
                yield records.decode(record)


def _text(value: bytes) -> str:
    # An id may be any bytes; different ones must stay different.
    return value.decode("utf-8", "backslashreplace")
