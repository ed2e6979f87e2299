"""Full disks are real ones here: what each library makes of them is recognised and told."""

from __future__ import annotations

import pathlib
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.disk_space import DiskFullError, free_space, full_disk_told, is_full
from tests.small_disk import fill, free_bytes, small_disk

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEGABYTES = 4


def _python(folder: pathlib.Path) -> None:
    (folder / "file").write_bytes(bytes(MEGABYTES * 2**20))


def _tensorflow(folder: pathlib.Path) -> None:
    import tensorflow as tf

    with tf.io.gfile.GFile(str(folder / "file"), "wb") as file:
        file.write(bytes(MEGABYTES * 2**20))


def _tfrecords(folder: pathlib.Path) -> None:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(folder / "file")) as writer:
        writer.write(bytes(MEGABYTES * 2**20))


def _keras(folder: pathlib.Path) -> None:
    import keras

    model = keras.Sequential([keras.Input([2**10]), keras.layers.Dense(2**10)])
    model.save_weights(str(folder / "file.weights.h5"))


def _saved_model(folder: pathlib.Path) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.weights = tf.Variable(np.zeros(MEGABYTES * 2**18, np.float32))
    tf.saved_model.save(module, str(folder / "model"))


def _sqlite(folder: pathlib.Path) -> None:
    database = sqlite3.connect(folder / "file")
    database.execute("CREATE TABLE t (b BLOB)")
    database.execute("INSERT INTO t VALUES (zeroblob(?))", [MEGABYTES * 2**20])
    database.commit()


def _ml_metadata(folder: pathlib.Path) -> None:
    from pipeline.metadata_store import connection_config, open_store

    open_store(connection_config(folder, None))


def _beam(folder: pathlib.Path) -> None:
    import apache_beam as beam

    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        lines = pipeline | beam.Create(["x" * MEGABYTES * 2**20])
        _ = lines | beam.io.WriteToText(str(folder / "file"))


# HDF5 complains again when its file is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "write",
    [_python, _tensorflow, _tfrecords, _keras, _saved_model, _sqlite, _ml_metadata, _beam],
    ids=lambda write: write.__name__.strip("_"),
)
def test_what_a_library_says_of_a_full_disk_is_recognised(
    write: Callable[[pathlib.Path], None], tmp_path: pathlib.Path
) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        if write is _ml_metadata:
            fill(disk, 20_000)
        with pytest.raises(Exception) as failure:  # noqa: B017, PT011
            write(disk)
        assert is_full(failure.value), repr(failure.value)


@pytest.mark.parametrize(
    "error", [ValueError("no space"), FileNotFoundError(2, "No such file"), MemoryError()]
)
def test_other_failures_are_none_of_a_full_disk(error: Exception) -> None:
    assert not is_full(error)
    with pytest.raises(type(error)), full_disk_told("/"):
        raise error


def test_the_cause_counts_also_where_causes_go_in_a_circle() -> None:
    first, second = OSError(28, "No space left on device"), RuntimeError("failed")
    second.__cause__, first.__context__ = first, second
    assert is_full(second)
    third = RuntimeError("failed")
    third.__context__ = third.__cause__ = third
    assert not is_full(third)


def test_the_disk_that_is_full_is_named_with_what_is_free(tmp_path: pathlib.Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        with pytest.raises(DiskFullError) as failure, full_disk_told(disk):
            fill(disk, 0)
            _python(disk)
        message = str(failure.value)
        assert f"the disk of {disk} has 0.0 MB of 2.1 MB free; " in message
        # Temporary files go to another one.
        assert len(re.findall(r"the disk of \S+ has", message)) == 2
        assert "\n" not in message
        with pytest.raises(RuntimeError), full_disk_told(disk, but=RuntimeError):
            raise RuntimeError("the disk is full") from failure.value


def test_a_disk_with_room_for_no_more_files_says_so(tmp_path: pathlib.Path) -> None:
    with small_disk(tmp_path / "disk", "2m", "nr_inodes=3") as disk:
        message = "MB free, but no more files are possible"
        with pytest.raises(DiskFullError, match=message), full_disk_told(disk):
            for number in range(5):
                (disk / str(number)).touch()
        assert "no more files" not in free_space(tmp_path)


def test_what_is_said_needs_no_space_itself(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        monkeypatch.setattr("tempfile.tempdir", None)
        for name in ("TMPDIR", "TEMP", "TMP"):
            monkeypatch.setenv(name, str(disk))
        # Of a folder that would be made there, that disk is named; of a bucket none.
        message = f"the disk of {disk} has 0.0 MB of .* MB free; make space.* \\(.*{disk}/0.*\\)$"
        places = (disk / "data" / "new", "gs://bucket/root")
        with pytest.raises(DiskFullError, match=message), full_disk_told(*places):
            fill(disk, 0)
            for number in range(3):
                with open(disk / str(number), "wb", buffering=0) as file:
                    try:
                        file.write(bytes(100_000))
                    except OSError as error:
                        error.filename = file.name
                        raise


LOGGING = """
import pathlib, sys
from pipeline.run_log import run_log
from tests.small_disk import fill

disk = pathlib.Path(sys.argv[1])
try:
    with run_log(disk / "logs" / "run.log") as console:
        fill(disk, 0)
        print("x" * 1000)
        console.print("seen by the user")
        raise ValueError("what is wrong")
except ValueError as error:
    print(error)
"""


def test_a_log_that_has_no_space_left_hides_nothing(tmp_path: pathlib.Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        result = subprocess.run(
            [sys.executable, "-c", LOGGING, str(disk)],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin"},  # whatever this one has of PYTHONUNBUFFERED
            capture_output=True,
            text=True,
        )
        assert free_bytes(disk) == 0
    assert (result.stderr, result.stdout) == ("seen by the user\n", "what is wrong\n")
    assert result.returncode == 0
