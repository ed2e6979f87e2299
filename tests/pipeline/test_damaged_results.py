"""Damaged TFRecords are named, whatever the library that failed on them says of it."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf

from pipeline.damaged_results import DamagedResultError, blame


def _write(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir(parents=True)
    path = folder / "data_tfrecord-00000-of-00001.gz"
    random = np.random.default_rng(0)
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for _ in range(20):
            writer.write(random.bytes(3000))
    return path


def _half(path: pathlib.Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _overwritten(path: pathlib.Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 100] = bytes(100)
    path.write_bytes(content)


def _by_beam(path: pathlib.Path) -> None:
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        _ = pipeline | beam.io.ReadFromTFRecord(str(path)) | beam.combiners.Count.Globally()


def _by_tensorflow(path: pathlib.Path) -> None:
    for _ in tf.data.TFRecordDataset(str(path), compression_type="GZIP"):
        pass


@pytest.mark.parametrize("read", [_by_beam, _by_tensorflow])
@pytest.mark.parametrize("damage", [_half, _overwritten])
def test_the_damaged_file_is_named(
    damage: Callable[[pathlib.Path], None],
    read: Callable[[pathlib.Path], None],
    tmp_path: pathlib.Path,
) -> None:
    whole = _write(tmp_path / "examples" / "3" / "Split-train")
    path = _write(tmp_path / "transformed" / "7" / "Split-train")
    damage(path)
    folders = [str(tmp_path / "transformed" / "7"), str(tmp_path / "examples" / "3")]
    read(whole)
    with pytest.raises(Exception) as raised:  # noqa: B017, PT011
        read(path)
    named = blame(raised.value, lambda: folders, "another run")
    assert isinstance(named, DamagedResultError)
    assert str(named).startswith(f"{path}, the result of an earlier component, is damaged")
    assert f"move the folder {folders[0]} away: another run then makes it anew" in str(named)
    assert len(str(named)) < 700 and "\n" not in str(named)
    # Of files that are whole nothing is said.
    assert blame(raised.value, lambda: folders[1:], "") is raised.value


def test_other_failures_are_not_looked_into(tmp_path: pathlib.Path) -> None:
    _half(_write(tmp_path / "examples"))
    failure = ValueError("split train has no images left")
    assert blame(failure, lambda: [str(tmp_path)], "") is failure
    first, second = ValueError("one"), ValueError("two")
    first.__cause__, second.__cause__ = second, first
    assert blame(first, lambda: [str(tmp_path)], "") is first


def test_what_cannot_be_looked_up_hides_nothing() -> None:
    def fail() -> list[str]:
        raise RuntimeError("the database has gone away")

    failure = ValueError("truncated record at 3")
    assert blame(failure, fail, "") is failure
