"""Which datasets can be read, and which of their features are what."""

from __future__ import annotations

import pathlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from components.tfds_example_gen.layout import DatasetLayoutError, read_layout

IMAGE = tfds.features.Image(shape=(None, None, 3))
LABEL = tfds.features.ClassLabel(names=["a", "b"])
TEXT = tfds.features.Text()


def _builder(features: dict[str, Any], supervised: tuple | None = None, suffix: str = "tfrecord"):
    """Something with the parts of a TFDS builder that a layout is read from."""
    info = SimpleNamespace(
        features=tfds.features.FeaturesDict(features),
        supervised_keys=supervised,
        full_name="flowers/1.0.0",
        file_format=SimpleNamespace(value=suffix),
        splits={
            "train": SimpleNamespace(filepaths=[pathlib.Path("/data/x-0")], num_examples=3),
            "empty": SimpleNamespace(filepaths=[], num_examples=0),
        },
    )
    return SimpleNamespace(info=info)


@pytest.mark.parametrize("name", ["file_name", "image_id", "id"])
def test_one_image_one_label_and_a_name(name: str):
    layout = read_layout(_builder({"photo": IMAGE, "species": LABEL, name: TEXT}))
    assert (layout.image, layout.label, layout.identity) == ("photo", "species", name)
    assert layout.class_names == ("a", "b")
    assert layout.splits == {"train": ("x-0",)}


def test_supervised_keys_choose_among_several():
    features = {"image": IMAGE, "mask": IMAGE, "label": LABEL, "coarse": LABEL}
    layout = read_layout(_builder(features, ("image", "label")))
    assert (layout.image, layout.label, layout.identity) == ("image", "label", None)


def test_a_name_that_is_no_text_names_nothing():
    number = tfds.features.Scalar(np.int64)
    features = {"image": IMAGE, "label": LABEL, "id": number}
    assert read_layout(_builder(features)).identity is None
    assert read_layout(_builder({**features, "image_id": TEXT})).identity == "image_id"


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"label": LABEL, "x": TEXT}, "has 0 image features .none.; exactly one"),
        ({"image": IMAGE, "label": TEXT}, "has 0 class label features"),
        ({"a": IMAGE, "b": IMAGE, "label": LABEL}, r"has 2 image features \(a, b\)"),
    ],
)
def test_what_is_missing_is_named(features: dict[str, Any], message: str):
    with pytest.raises(DatasetLayoutError, match=f"flowers/1.0.0 {message}") as error:
        read_layout(_builder(features))
    listed = str(error.value).partition("Its features: ")[2]
    assert sorted(listed.split(", ")) == sorted(features)


def test_other_formats_are_refused():
    with pytest.raises(DatasetLayoutError, match="stored as array_record; prepare it as tfrecord"):
        read_layout(_builder({"image": IMAGE, "label": LABEL}, suffix="array_record"))
