"""The Beam work of TfdsExampleGen: TFDS records in, checked tf.Examples for the pipeline out.

Bytes of images are passed on as they are; decoding belongs to Transform. Images that cannot be
decoded are left out, copies found, and both reported (`report.py`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import tensorflow as tf
from absl import logging
from apache_beam.utils import shared
from tfx.components.example_gen.base_example_gen_executor import BaseExampleGenExecutor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.utils import proto_utils

from components.tfds_example_gen import report
from components.tfds_example_gen.config import IngestionConfig
from components.tfds_example_gen.duplicates import COPIES, SeparateCopies, content_hash
from components.tfds_example_gen.held_out import held_out_labels, hold_out
from components.tfds_example_gen.images import ReadShard
from components.tfds_example_gen.inspection import BAD, SortOut
from components.tfds_example_gen.layout import Layout, read_layout

_LINES = "_report_lines"


def _unique(item: tuple[str, Iterable[str]]) -> None:
    """Refuses two images with one id, which would make exclusion by id ambiguous."""
    identity, splits = item[0], sorted(item[1])
    if len(splits) > 1:
        raise report.IngestionError(
            f"{len(splits)} images share the id {identity!r} (in {', '.join(splits)}); "
            "ids must be unique"
        )


def _layout(exec_properties: dict[str, Any]) -> Layout:
    import tensorflow_datasets as tfds

    return read_layout(tfds.builder_from_directory(exec_properties["input_base"]))


@beam.ptransform_fn
@beam.typehints.with_input_types(beam.Pipeline)
def _read_split(
    pipeline: beam.Pipeline, exec_properties: dict[str, Any], split_pattern: str
) -> beam.PCollection:
    """Reads the split whose file pattern ExampleGen's driver has resolved."""
    folder = exec_properties["input_base"]
    layout = _layout(exec_properties)
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
    )


class Executor(BaseExampleGenExecutor):
    """Executor of `TfdsExampleGen`."""

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:  # noqa: N802
        """Returns the transform that reads one split, unchecked."""
        return _read_split

    def GenerateExamplesByBeam(  # noqa: N802
        self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]
    ) -> dict[str, beam.PCollection]:
        """Reads all splits together, since copies may lie in different ones.

        Returns:
            tf.train.Examples by split. The lines of the report are written on the side.
        """
        config = IngestionConfig.unpack(exec_properties)
        held_out = held_out_labels(
            _layout(exec_properties).class_names, config.held_out_classes, config.held_out_seed
        )
        given = proto_utils.json_to_proto(
            exec_properties["input_config"], example_gen_pb2.Input()
        ).splits
        splits = [split.name for split in given]
        sorted_out = (
            [
                pipeline | f"ReadSplit[{split.name}]" >> _read_split(exec_properties, split.pattern)
                for split in given
            ]
            | "AllSplits" >> beam.Flatten()
            | "HoldOut" >> beam.FlatMap(hold_out, held_out, config.held_out_only)
            | "SortOut"
            >> beam.ParDo(SortOut(config.canonical_size, shared.Shared())).with_outputs(
                BAD, main="good"
            )
        )
        separated = (
            sorted_out["good"]
            | "ByContent" >> beam.Map(content_hash)
            | "Copies" >> beam.GroupByKey()
            | "Separate"
            >> beam.ParDo(SeparateCopies(splits, config.drop_leaks)).with_outputs(
                COPIES, main="images"
            )
        )
        images = separated["images"]
        _ = (
            images
            | "Ids" >> beam.Map(lambda image: (image.identity, image.split))
            | "ById" >> beam.GroupByKey()
            | "UniqueId" >> beam.Map(_unique)
        )
        counts = (
            images
            | "Splits" >> beam.Map(lambda image: image.split)
            | "Count" >> beam.combiners.Count.PerElement()
        )
        _ = (
            (
                sorted_out[BAD] | "BadLine" >> beam.Map(report.bad_line),
                separated[COPIES] | "CopiesLine" >> beam.Map(report.copies_line),
                counts | "CountLine" >> beam.Map(report.count_line),
            )
            | "Lines" >> beam.Flatten()
            | "WriteLines"
            >> beam.io.WriteToText(exec_properties[_LINES], num_shards=1, shard_name_template="")
        )
        by_split = images | "Divide" >> beam.Partition(
            lambda image, _: splits.index(image.split), len(splits)
        )
        return {
            split: part
            | f"Example[{split}]"
            >> beam.Map(lambda image: image.example()).with_output_types(tf.train.Example)
            for split, part in zip(splits, by_split, strict=True)
        }

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the splits and the report, and refuses data that is too bad.

        Raises:
            IngestionError: Too many bad images, or a split without any good one.
        """
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        lines = os.path.join(examples.uri, "report-lines.jsonl")
        super().Do(input_dict, output_dict, {**exec_properties, _LINES: lines})
        with tf.io.gfile.GFile(lines) as file:
            found = report.from_lines(file.read().splitlines())
        tf.io.gfile.remove(lines)
        for item in found.bad_images:
            logging.warning("Left out %(split)s image %(id)s: %(reason)s.", item)
        config = IngestionConfig.unpack(exec_properties)
        found.check(artifact_utils.decode_split_names(examples.split_names), config.max_bad_share)
        report.write(found, examples.uri)
        examples.set_int_custom_property("images", sum(found.images.values()))
        examples.set_int_custom_property("bad_images", len(found.bad_images))
        examples.set_int_custom_property("duplicates", len(found.duplicates))
        examples.set_int_custom_property("dropped_duplicates", found.dropped)
