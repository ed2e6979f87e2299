"""Photos with classes for `flowersim eval --model`: a folder, or a split of a prepared dataset."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from components.photo_folder.scan import PhotoFolderError, scan
from pipeline.embedding_file import EmbeddingFileError

if TYPE_CHECKING:
    from components.tfds_example_gen.layout import Layout

_DATASET = "dataset_info.json"


class LabelledPhoto(NamedTuple):
    """A photo, its name for a person, and what it shows."""

    name: str
    class_name: str
    content: bytes


@dataclasses.dataclass(frozen=True)
class PhotoSource:
    """Where photos come from.

    Attributes:
        count: How many there are.
        read: Reads them, one after the other.
    """

    count: int
    read: Callable[[], Iterator[LabelledPhoto]]


def open_photos(path: pathlib.Path) -> PhotoSource:
    """Finds photos.

    Args:
        path: `CLASS/**/photo.jpg` or `SPLIT/CLASS/**/photo.jpg` below it, with at least two
            classes; or `PREPARED/SPLIT`, of a folder that TFDS has prepared.

    Raises:
        EmbeddingFileError: Neither is there.
    """
    if (path / _DATASET).is_file():
        splits = ", ".join(str(path / split) for split in _layout(path).splits)
        raise EmbeddingFileError(f"{path} is a prepared dataset; name one of its splits: {splits}")
    if (path.parent / _DATASET).is_file():
        return _split(path.parent, path.name)
    try:
        photos = scan(path)
    except PhotoFolderError as error:
        raise EmbeddingFileError(str(error)) from error

    def read() -> Iterator[LabelledPhoto]:
        for photo in photos:
            name = os.path.join(str(path), photo.relative)
            yield LabelledPhoto(name, photo.class_name, pathlib.Path(photo.path).read_bytes())

    return PhotoSource(len(photos), read)


def _layout(folder: pathlib.Path) -> Layout:
    import tensorflow_datasets as tfds

    from components.tfds_example_gen.layout import DatasetLayoutError, read_layout

    try:
        return read_layout(tfds.builder_from_directory(folder))
    except DatasetLayoutError as error:
        raise EmbeddingFileError(str(error)) from error


def _split(folder: pathlib.Path, split: str) -> PhotoSource:
    import tensorflow_datasets as tfds

    from components.tfds_example_gen.images import ReadShard, StoredImageError

    layout = _layout(folder)
    if split not in layout.splits:
        raise EmbeddingFileError(
            f"{folder} has no images in a split {split}, but in {', '.join(layout.splits)}"
        )

    def read() -> Iterator[LabelledPhoto]:
        shard = ReadShard(layout, str(folder), split)
        for file_name in layout.splits[split]:
            try:
                for image in shard.process(file_name):
                    yield LabelledPhoto(image.identity, image.class_name, image.content)
            except StoredImageError as error:
                raise EmbeddingFileError(str(error)) from error

    count = tfds.builder_from_directory(folder).info.splits[split].num_examples
    return PhotoSource(count, read)
