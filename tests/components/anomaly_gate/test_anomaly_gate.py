"""Examples with and without faults through TFX's statistics and validation, up to the gate.

Each fault has a split of its own, so that one run of the components makes them all.
"""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import v1 as tfx
from tfx.components.example_validator.executor import Executor as ValidatorExecutor
from tfx.components.statistics_gen.executor import Executor as StatisticsExecutor
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, standard_artifacts

from components.anomaly_gate.component import AnomalyGate
from components.anomaly_gate.executor import DataAnomaliesError, check, describe
from components.example_schema.curate import write_schema

CLASSES = ("rose", "Ёлка")

# What the last of ten examples has instead: None for nothing at all.
FAULTS: dict[str, dict[str, Any]] = {
    "clean": {},
    "no_image": {"image": None},
    "label_too_large": {"label": [2]},
    "unknown_class": {"class_name": [b"tulip"]},
    "several": {"label": [0, 1], "split": [b"dev"], "id": None},
}


def _example(photo: bytes, **changed: Any) -> bytes:
    values = {
        "image": [photo],
        "label": [1],
        "class_name": ["Ёлка".encode()],
        "id": [b"1.jpg"],
        "split": [b"train"],
        **changed,
    }
    feature = {}
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value[0], int):
            feature[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=value))
        else:
            feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def _artifact(kind: type, folder: pathlib.Path, splits: list[str] | None = None) -> Any:
    artifact = kind()
    artifact.uri = str(folder)
    if splits is not None:
        artifact.split_names = artifact_utils.encode_split_names(splits)
    return artifact


@pytest.fixture(scope="module")
def anomalies(tmp_path_factory, make_photo) -> Any:
    """ExampleValidator's output for all splits."""
    root = tmp_path_factory.mktemp("validation")
    photo = make_photo(0)
    for split, fault in FAULTS.items():
        folder = root / "examples" / f"Split-{split}"
        folder.mkdir(parents=True)
        with tf.io.TFRecordWriter(str(folder / "data.gz"), "GZIP") as writer:
            for index in range(10):
                writer.write(_example(photo, **(fault if index == 9 else {})))
    examples = _artifact(standard_artifacts.Examples, root / "examples", list(FAULTS))
    examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    path = pathlib.Path(write_schema(root / "schema", CLASSES, ("train", "validation", "test")))
    schema = [_artifact(standard_artifacts.Schema, path.parent)]
    statistics = _artifact(standard_artifacts.ExampleStatistics, root / "statistics")
    result = _artifact(standard_artifacts.ExampleAnomalies, root / "anomalies")
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=["--runner=FnApiRunner"], tmp_dir=str(root / "tmp")
    )
    StatisticsExecutor(context).Do(
        {"examples": [examples], "schema": schema},
        {"statistics": [statistics]},
        {"exclude_splits": "[]"},
    )
    ValidatorExecutor().Do(
        {"statistics": [statistics], "schema": schema},
        {"anomalies": [result]},
        {"exclude_splits": "[]"},
    )
    return result


def _run_gate(anomalies: Any, *splits: str) -> Any:
    chosen = _artifact(
        standard_artifacts.ExampleAnomalies, pathlib.Path(anomalies.uri), list(splits)
    )
    return AnomalyGate.test_call(anomalies=chosen, code_hash="0")


def test_clean_data_passes(anomalies: Any):
    assert _run_gate(anomalies, "clean") == {"verdict": "no anomalies in clean"}


@pytest.mark.parametrize(
    ("split", "features"),
    [
        ("no_image", {"image"}),
        ("label_too_large", {"label"}),
        ("unknown_class", {"class_name"}),
        ("several", {"label", "split", "id"}),
    ],
)
def test_a_fault_raises_and_names_split_and_feature(split: str, features: set[str], anomalies: Any):
    with pytest.raises(DataAnomaliesError) as error:
        _run_gate(anomalies, split)
    title, *lines = str(error.value).splitlines()
    assert title == "the data does not match the schema:"
    assert all(line.startswith(f"  {split}: ") for line in lines)
    assert {line.split(": ")[1] for line in lines} == features


def test_the_unknown_class_is_told(anomalies: Any):
    with pytest.raises(DataAnomaliesError, match="tulip"):
        _run_gate(anomalies, "unknown_class")


def test_one_bad_split_among_good_ones_is_enough(anomalies: Any):
    with pytest.raises(DataAnomaliesError) as error:
        check(anomalies.uri, ["clean", "no_image", "unknown_class"])
    assert "no_image: image: " in str(error.value) and "unknown_class: class_name: " in str(
        error.value
    )
    assert "clean" not in str(error.value)


def test_what_concerns_the_whole_dataset_is_told_too():
    found = anomalies_pb2.Anomalies(data_missing=True)
    assert describe("test", found) == ["test: the split is empty"]
    found = anomalies_pb2.Anomalies()
    found.dataset_anomaly_info.description = "fewer examples than yesterday"
    assert describe("test", found) == ["test: fewer examples than yesterday"]
    assert describe("test", anomalies_pb2.Anomalies()) == []


def test_a_missing_result_is_no_pass(tmp_path: pathlib.Path):
    with pytest.raises(Exception, match="SchemaDiff.pb"):
        check(str(tmp_path), ["train"])


def test_the_gate_is_a_component_that_waits_for_the_validator():
    channel = tfx.dsl.Channel(type=standard_artifacts.ExampleAnomalies)
    gate = AnomalyGate(anomalies=channel, code_hash="abc")
    assert gate.inputs["anomalies"] is channel
    assert gate.exec_properties == {"code_hash": "abc"}
    assert list(gate.outputs) == ["verdict"]
