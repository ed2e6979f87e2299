"""How embeddings are written: TFRecords that `flowersim eval` reads, or Parquet.

A record is a `tf.train.Example` with `id`, `embedding` (float [D]) and, where it is known,
`class_name`; a row of Parquet has the same as columns, `class_name` null where it is not known.
Files: `embeddings-00000-of-00001.tfrecord.gz` or `.parquet`, and `bad.jsonl` with `id` and
`reason` of each photo that was left out, if there is one.
"""

from __future__ import annotations

import json
from typing import Any

import apache_beam as beam

from pipeline.batch_embedding.embedding import BadPhoto, Embedded

FORMATS = ("tfrecord", "parquet")
BAD_FILE = "bad.jsonl"
COUNTS_FILE = "counts.json"
_PREFIX = "embeddings"


class WriteEmbeddings(beam.PTransform):
    """Writes `Embedded`s as sharded files; how many shards is for Beam to say."""

    def __init__(self, folder: str, form: str) -> None:
        """Keeps the folder, and the form, one of `FORMATS`."""
        super().__init__()
        self._prefix = f"{folder}/{_PREFIX}"
        self._form = form

    def expand(self, embedded: beam.PCollection) -> beam.PCollection:
        """Builds the steps."""
        if self._form == "parquet":
            return (
                embedded
                | "Row" >> beam.Map(_row)
                | beam.io.WriteToParquet(self._prefix, _schema(), file_name_suffix=".parquet")
            )
        return (
            embedded
            | "Record" >> beam.Map(_record)
            | beam.io.WriteToTFRecord(
                self._prefix,
                file_name_suffix=".tfrecord.gz",
                compression_type=beam.io.filesystem.CompressionTypes.GZIP,
            )
        )


class WriteBad(beam.PTransform):
    """Writes `BadPhoto`s to one file of JSON lines, and none if there are none."""

    def __init__(self, folder: str) -> None:
        """Keeps the folder."""
        super().__init__()
        self._path = f"{folder}/{BAD_FILE}"

    def expand(self, bad: beam.PCollection) -> beam.PCollection:
        """Builds the steps."""
        return (
            bad
            | "Line" >> beam.Map(_line)
            | beam.io.WriteToText(
                self._path, num_shards=1, shard_name_template="", skip_if_empty=True
            )
        )


def _row(embedded: Embedded) -> dict[str, Any]:
    return {
        "id": embedded.identity,
        "class_name": embedded.class_name or None,
        "embedding": embedded.embedding.tolist(),
    }


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("class_name", pa.string()),
            pa.field("embedding", pa.list_(pa.float32()), nullable=False),
        ]
    )


def _record(embedded: Embedded) -> bytes:
    import tensorflow as tf

    def text(value: str) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))

    values = tf.train.FloatList(value=embedded.embedding)
    feature = {"id": text(embedded.identity), "embedding": tf.train.Feature(float_list=values)}
    if embedded.class_name:
        feature["class_name"] = text(embedded.class_name)
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    return example.SerializeToString(deterministic=True)


def _line(bad: BadPhoto) -> str:
    return json.dumps({"id": bad.identity, "reason": bad.reason}, ensure_ascii=False)
