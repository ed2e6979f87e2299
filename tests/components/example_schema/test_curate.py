"""The curated schema: what it demands of examples, and when its path changes."""

from __future__ import annotations

import pathlib

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.example_schema.curate import curated_schema, write_schema
from trainer_module import features

SPLITS = ("train", "validation", "test")


def test_every_feature_is_required_exactly_once():
    schema = curated_schema(["a", "b"], SPLITS)
    assert {feature.name: feature.type for feature in schema.feature} == {
        features.IMAGE: schema_pb2.BYTES,
        features.LABEL: schema_pb2.INT,
        features.CLASS_NAME: schema_pb2.BYTES,
        features.ID: schema_pb2.BYTES,
        features.SPLIT: schema_pb2.BYTES,
    }
    for feature in schema.feature:
        assert feature.presence.min_fraction == 1.0 and feature.presence.min_count == 1
        assert [dim.size for dim in feature.shape.dim] == [1]


def test_domains_come_from_the_dataset():
    names = ["rose", 'the "blue" bell', "Ёлка"]
    by_name = {feature.name: feature for feature in curated_schema(names, SPLITS).feature}
    assert list(by_name["class_name"].string_domain.value) == names
    assert list(by_name["split"].string_domain.value) == list(SPLITS)
    label = by_name["label"].int_domain
    assert (label.min, label.max, label.is_categorical) == (0, 2, True)


def test_the_file_holds_the_schema_for_people_to_read(tmp_path: pathlib.Path):
    path = pathlib.Path(write_schema(tmp_path, ["Ёлка", "b"], SPLITS))
    text = path.read_text("utf-8")
    assert "Ёлка" in text
    assert text_format.Parse(text, schema_pb2.Schema()) == curated_schema(["Ёлка", "b"], SPLITS)


@pytest.mark.parametrize(
    ("classes", "splits", "same"),
    [
        (["a", "b"], SPLITS, True),
        (["b", "a"], SPLITS, False),
        (["a", "b", "c"], SPLITS, False),
        (["a", "b"], SPLITS[:2], False),
    ],
)
def test_the_path_changes_exactly_with_the_content(
    classes: list[str], splits: tuple[str, ...], same: bool, tmp_path: pathlib.Path
):
    first = write_schema(tmp_path, ["a", "b"], SPLITS)
    assert (write_schema(tmp_path, classes, splits) == first) == same
