"""The batches that a preprocessing function really sees, and the order of what Transform writes."""

from __future__ import annotations

import hashlib
import json
import pathlib
import random
import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import v1 as tfx
from tfx.components.transform import executor as transform_executor
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils

from components.bounded_transform import ordered
from components.bounded_transform.component import (
    BATCH_SIZE_KEY,
    ORDER_KEY,
    BoundedTransform,
    Executor,
)
from trainer_module import progress_log

EXAMPLES = 100
PROBE = "bounded_transform_probe"


# Tells each example how many it shares its batch with, and the most that analysis saw.
SOURCE = """
import tensorflow as tf
import tensorflow_transform as tft

def preprocessing_fn(inputs, custom_config):
    rows = tf.shape(inputs["x"], out_type=tf.int64)[0]
    return {
        "rows": tf.fill([rows], rows),
        "most_analysed": tf.fill([rows], tft.max(tf.reshape(rows, [1]))),
        "name": tf.strings.as_string(tf.squeeze(inputs["x"], axis=1)),
    }
"""


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> str:
    """The dotted path of the function above; TFX imports its module anew, so it is a file."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / f"{PROBE}.py").write_text(SOURCE, "utf-8")
    monkeypatch.syspath_prepend(tmp_path / "modules")
    monkeypatch.delitem(sys.modules, PROBE, raising=False)
    return f"{PROBE}.preprocessing_fn"


def _artifact(kind: type, uri: pathlib.Path, splits: list[str] | None = None) -> Any:
    artifact = kind()
    artifact.uri = str(uri)
    if splits is not None:
        artifact.split_names = artifact_utils.encode_split_names(splits)
    return artifact


def _transform(
    root: pathlib.Path,
    preprocessing_fn: str,
    batch_size: int,
    numbers: Sequence[int] = range(EXAMPLES),
    order_by: str = "name",
) -> list[dict]:
    """Runs the executor on examples of one split, and returns what it wrote of each."""
    folder = root / "examples" / "Split-train"
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "data.gz"), "GZIP") as writer:
        for index in numbers:
            feature = {"x": tf.train.Feature(int64_list=tf.train.Int64List(value=[index]))}
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())
    schema = schema_pb2.Schema()
    feature = schema.feature.add(name="x", type=schema_pb2.INT)
    feature.presence.min_fraction = 1.0
    feature.shape.dim.add(size=1)
    io_utils.write_pbtxt_file(str(root / "schema" / "schema.pbtxt"), schema)
    examples = _artifact(standard_artifacts.Examples, root / "examples", ["train"])
    examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    output = _artifact(standard_artifacts.Examples, root / "transformed")
    executor = Executor(
        BaseBeamExecutor.Context(
            beam_pipeline_args=["--runner=FnApiRunner"], tmp_dir=str(root / "tmp")
        )
    )
    executor.Do(
        {
            "examples": [examples],
            "schema": [_artifact(standard_artifacts.Schema, root / "schema")],
        },
        {
            "transform_graph": [_artifact(standard_artifacts.TransformGraph, root / "graph")],
            "transformed_examples": [output],
        },
        {
            "preprocessing_fn": preprocessing_fn,
            "custom_config": json.dumps({BATCH_SIZE_KEY: batch_size, ORDER_KEY: order_by}),
            "disable_statistics": 1,
        },
    )
    files = sorted(tf.io.gfile.glob(f"{output.uri}/Split-train/*"))
    spec = {name: tf.io.FixedLenFeature([], tf.int64) for name in ("rows", "most_analysed")}
    spec["name"] = tf.io.FixedLenFeature([], tf.string)
    return [
        {name: int(value) for name, value in tf.io.parse_single_example(record, spec).items()}
        for record in tf.data.TFRecordDataset(files, compression_type="GZIP")
    ]


def test_no_batch_is_larger_than_configured(probe: str, tmp_path: pathlib.Path):
    batch_size = 7
    rows = _transform(tmp_path, probe, batch_size)
    assert len(rows) == EXAMPLES
    assert {row["most_analysed"] for row in rows} == {batch_size}
    full, rest = divmod(EXAMPLES, batch_size)
    expected = Counter({batch_size: full * batch_size})
    expected[rest] += rest
    assert Counter(row["rows"] for row in rows) == +expected


@pytest.mark.parametrize("file_bytes", [1, pytest.param(64 * 2**20, marks=pytest.mark.extended)])
def test_the_order_depends_on_the_ids_alone(
    probe: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, file_bytes: int
):
    monkeypatch.setattr(ordered, "FILE_BYTES", file_bytes)
    numbers = list(range(EXAMPLES))
    written = []
    for name, seed in (("a", 1), ("b", 2)):
        random.Random(seed).shuffle(numbers)
        rows = _transform(tmp_path / name, probe, 8, numbers)
        written.append([row["name"] for row in rows])
    expected = sorted(range(EXAMPLES), key=lambda x: hashlib.sha256(str(x).encode()).digest())
    assert written == [expected, expected]
    files = tf.io.gfile.listdir(str(tmp_path / "a" / "transformed" / "Split-train"))
    assert all(re.fullmatch(r"transformed_examples-\d{5}-of-\d{5}\.gz", name) for name in files)
    assert (len(files) > 10) == (file_bytes == 1)


def test_examples_without_an_id_are_refused(probe: str, tmp_path: pathlib.Path):
    with pytest.raises(ValueError, match="no 'identity' to be put in order by"):
        _transform(tmp_path, probe, 8, range(3), order_by="identity")


def test_it_reports_every_image(
    probe: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    lines: list[str] = []
    monkeypatch.setattr(
        progress_log.logging, "info", lambda line, *values: lines.append(line % values)
    )
    _transform(tmp_path, probe, 7)
    counts = [re.fullmatch(r"Progress: (\d+) more images\.", line) for line in lines]
    assert sum(int(match[1]) for match in counts if match) == EXAMPLES
    assert lines.index("Progress: putting the examples in order.") > max(
        place for place, match in enumerate(counts) if match
    )


def test_other_transforms_are_left_alone(probe: str, tmp_path: pathlib.Path):
    processor = transform_executor.TransformProcessor
    original = processor._GetDesiredBatchSize, processor._EncodeAndWrite
    with pytest.raises(ValueError, match="invalid literal"):
        _transform(tmp_path, probe, "many")  # type: ignore[arg-type]
    assert (processor._GetDesiredBatchSize, processor._EncodeAndWrite) == original


def test_the_component_runs_that_executor():
    examples = tfx.dsl.Channel(type=standard_artifacts.Examples)
    schema = tfx.dsl.Channel(type=standard_artifacts.Schema)
    transform = BoundedTransform(
        examples=examples,
        schema=schema,
        preprocessing_fn=f"{PROBE}.preprocessing_fn",
        custom_config={BATCH_SIZE_KEY: 5},
    )
    assert transform.executor_spec.executor_class is Executor
    assert json.loads(transform.exec_properties["custom_config"]) == {BATCH_SIZE_KEY: 5}
