"""An image on its way into the pipeline, and how it is read from a prepared TFDS folder.

TFDS stores `tf.train.Example`s that hold the image as it was encoded; those bytes are passed on
as they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import apache_beam as beam
import tensorflow as tf

from components.example_schema.names import has_control_characters
from components.tfds_example_gen.layout import Layout


class StoredImageError(ValueError):
    """A prepared dataset holds what it cannot hold; the message names the image or the file."""


class Image(NamedTuple):
    """One image of the dataset.

    Attributes:
        identity: Its id.
        split: Name of its split.
        label: Class index.
        class_name: Name of that class.
        content: The file, as it was encoded.
    """

    identity: str
    split: str
    label: int
    class_name: str
    content: bytes

    def example(self) -> tf.train.Example:
        """Returns it as the pipeline's components read it."""

        def text(value: bytes) -> tf.train.Feature:
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

        return tf.train.Example(
            features=tf.train.Features(
                feature={
                    "image": text(self.content),
                    "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[self.label])),
                    "class_name": text(self.class_name.encode()),
                    "id": text(self.identity.encode()),
                    "split": text(self.split.encode()),
                }
            )
        )


class ReadShard(beam.DoFn):
    """Reads one TFRecord file of a prepared dataset."""

    def __init__(self, layout: Layout, folder: str, split: str) -> None:
        """Keeps what is needed to name an image's parts; opens nothing yet."""
        self._layout = layout
        self._folder = folder
        self._split = split

    def process(self, file_name: str) -> Iterator[Image]:
        """Yields every image of `file_name`.

        Raises:
            StoredImageError: A label that the dataset has no class for, an id with control
                characters, or a file that is damaged or cut short.
        """
        layout = self._layout
        for index, record in enumerate(self._records(file_name)):
            stored = tf.train.Example.FromString(record).features.feature
            label = stored[layout.label].int64_list.value[0]
            if layout.identity is None:
                identity = f"{file_name}:{index}"
            else:
                identity = stored[layout.identity].bytes_list.value[0].decode()
            if has_control_characters(identity):
                raise StoredImageError(
                    f"image {identity!r} of split {self._split} has control characters in its id"
                )
            if not 0 <= label < len(layout.class_names):
                raise StoredImageError(
                    f"image {identity!r} of split {self._split} has label {label}; "
                    f"the dataset has classes 0 to {len(layout.class_names) - 1}"
                )
            yield Image(
                identity=identity,
                split=self._split,
                label=label,
                class_name=layout.class_names[label],
                content=stored[layout.image].bytes_list.value[0],
            )

    def _records(self, file_name: str) -> Iterator[bytes]:
        """Yields the records of a file, all that the dataset says are in it."""
        path = os.path.join(self._folder, file_name)
        expected = self._layout.lengths.get(file_name)
        count, reason = 0, ""
        try:
            for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
                count += 1
                yield record
        except tf.errors.DataLossError as error:
            reason = f" ({error.message.splitlines()[0]})"
        if reason or count != (count if expected is None else expected):
            of = "" if expected is None else f" of {expected}"
            raise StoredImageError(
                f"{path} is damaged or cut short: {count}{of} images could be read{reason}; put a "
                f"copy of the file back, or move {self._folder} away, so that the dataset is "
                "prepared anew"
            )
