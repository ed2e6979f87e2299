"""The Beam work of TfdsExampleGen: TFDS records in, tf.Examples for the pipeline out.

TFDS stores `tf.train.Example`s that hold the image as it was encoded; those bytes are passed on
as they are. Decoding belongs to Transform.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import tensorflow as tf
from tfx.components.example_gen.base_example_gen_executor import BaseExampleGenExecutor

from components.tfds_example_gen.layout import Layout, read_layout


class ReadShard(beam.DoFn):
    """Reads one TFRecord file of a prepared dataset."""

    def __init__(self, layout: Layout, folder: str, split: str) -> None:
        """Keeps what is needed to name an example's parts; opens nothing yet."""
        self._layout = layout
        self._folder = folder
        self._split = split

    def process(self, file_name: str) -> Iterator[tuple[str, tf.train.Example]]:
        """Yields `(id, example)` for every record of `file_name`."""
        layout = self._layout
        path = os.path.join(self._folder, file_name)
        for index, record in enumerate(tf.data.TFRecordDataset(path).as_numpy_iterator()):
            stored = tf.train.Example.FromString(record).features.feature
            label = stored[layout.label].int64_list.value[0]
            if layout.identity is None:
                identity = f"{file_name}:{index}".encode()
            else:
                identity = stored[layout.identity].bytes_list.value[0]
            if not 0 <= label < len(layout.class_names):
                raise ValueError(
                    f"image {identity!r} of split {self._split} has label {label}; "
                    f"the dataset has classes 0 to {len(layout.class_names) - 1}"
                )
            yield (
                identity.decode(),
                _example(
                    image=stored[layout.image].bytes_list.value[0],
                    label=label,
                    class_name=layout.class_names[label].encode(),
                    identity=identity,
                    split=self._split.encode(),
                ),
            )


def _example(
    *, image: bytes, label: int, class_name: bytes, identity: bytes, split: bytes
) -> tf.train.Example:
    def text(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    return tf.train.Example(
        features=tf.train.Features(
            feature={
                "image": text(image),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                "class_name": text(class_name),
                "id": text(identity),
                "split": text(split),
            }
        )
    )


def _only_one(item: tuple[str, Any]) -> tf.train.Example:
    """Takes the single example of an id; two would make exclusion by id ambiguous."""
    identity, examples = item
    examples = list(examples)
    if len(examples) > 1:
        raise ValueError(f"{len(examples)} images share the id {identity!r}; ids must be unique")
    return examples[0]


@beam.ptransform_fn
@beam.typehints.with_input_types(beam.Pipeline)
@beam.typehints.with_output_types(tf.train.Example)
def _read_split(
    pipeline: beam.Pipeline, exec_properties: dict[str, Any], split_pattern: str
) -> beam.PCollection:
    """Reads the split whose file pattern ExampleGen's driver has resolved."""
    import tensorflow_datasets as tfds

    folder = exec_properties["input_base"]
    layout = read_layout(tfds.builder_from_directory(folder))
    pattern = os.path.basename(split_pattern)
    names = {os.path.basename(path) for path in tf.io.gfile.glob(os.path.join(folder, pattern))}
    split = next((name for name, files in layout.splits.items() if names == set(files)), None)
    if split is None:
        raise ValueError(
            f"{split_pattern} in {folder} matches {len(names)} files, which is no split of the "
            f"dataset as its dataset_info.json lists them: {', '.join(layout.splits)}"
        )
    return (
        pipeline
        | "Shards" >> beam.Create(sorted(names))
        | "OneShardAWorker" >> beam.Reshuffle()
        | "Read" >> beam.ParDo(ReadShard(layout, folder, split))
        | "ById" >> beam.GroupByKey()
        | "UniqueId" >> beam.Map(_only_one)
    )


class Executor(BaseExampleGenExecutor):
    """Executor of `TfdsExampleGen`."""

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:  # noqa: N802
        """Returns the transform that reads one split."""
        return _read_split
