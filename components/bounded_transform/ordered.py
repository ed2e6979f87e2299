"""Puts transformed examples in an order that depends on their ids alone.

Beam writes records as bundles finish: in another order with another runner, or another number of
workers. Training on them would then give another model for the same seed. It is a random order too,
so that a shuffle buffer that holds a part of the examples mixes classes well.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable

import apache_beam as beam
import tensorflow as tf

# Examples of a file are sorted in memory.
FILE_BYTES = 64 * 2**20

_FILE = "transformed_examples-{number:05d}-of-{count:05d}.gz"


def put_in_order(folder: str, id_feature: str, make_pipeline: Callable[[], beam.Pipeline]) -> None:
    """Writes the examples of a split anew, in the order of the SHA-256 of their ids.

    Args:
        folder: With gzipped TFRecord files of `tf.train.Example`s and no others; a path or a URL.
        id_feature: The bytes feature that tells examples apart.
        make_pipeline: Makes the Beam pipeline that does it.

    Raises:
        ValueError: An example has no such feature.
    """
    # Buckets have an empty object for a folder, which some patterns match.
    found = tf.io.gfile.glob(os.path.join(folder, "*"))
    files = [file for file in found if not tf.io.gfile.isdir(file)]
    if not files:
        return
    count = 1 + sum(tf.io.gfile.stat(file).length for file in files) // FILE_BYTES
    # In a folder of its own, so that what a dying run has left is never read as examples.
    unfinished = os.path.join(folder, "ordered")
    tf.io.gfile.makedirs(unfinished)
    with make_pipeline() as pipeline:
        _ = (
            pipeline
            | "Files" >> beam.Create(files)
            | "Read" >> beam.io.ReadAllFromTFRecord(compression_type="gzip")
            | "Key" >> beam.Map(_by_digest, id_feature, count)
            | "ByFile" >> beam.GroupByKey()
            | "Write" >> beam.Map(_write, unfinished, count)
        )
    for file in files:
        tf.io.gfile.remove(file)
    for name in tf.io.gfile.listdir(unfinished):
        tf.io.gfile.rename(os.path.join(unfinished, name), os.path.join(folder, name))
    tf.io.gfile.rmtree(unfinished)


def _by_digest(record: bytes, id_feature: str, count: int) -> tuple[int, tuple[bytes, bytes]]:
    """Returns the number of an example's file, and with the record what it is sorted by."""
    identity = tf.train.Example.FromString(record).features.feature[id_feature].bytes_list.value
    if not identity:
        raise ValueError(f"a transformed example has no {id_feature!r} to be put in order by")
    digest = hashlib.sha256(identity[0]).digest()
    return int.from_bytes(digest[:8], "big") * count >> 64, (digest, record)


def _write(numbered: tuple[int, Iterable[tuple[bytes, bytes]]], folder: str, count: int) -> None:
    number, examples = numbered
    path = os.path.join(folder, _FILE.format(number=number, count=count))
    with tf.io.TFRecordWriter(path, options="GZIP") as writer:
        for _, record in sorted(examples):
            writer.write(record)
