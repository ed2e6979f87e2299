"""Which datasets can be read, and which of their features are what."""

from __future__ import annotations

import pathlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from components.tfds_example_gen.images import Image, ReadShard
from components.tfds_example_gen.layout import DatasetLayoutError, Layout, read_layout

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
            "train": SimpleNamespace(
                filepaths=[pathlib.Path("/data/x-0")], shard_lengths=[3], num_examples=3
            ),
            "empty": SimpleNamespace(filepaths=[], shard_lengths=[], num_examples=0),
        },
    )
    return SimpleNamespace(info=info)


@pytest.mark.parametrize("name", ["file_name", "image_id", "id"])
def test_one_image_one_label_and_a_name(name: str):
    layout = read_layout(_builder({"photo": IMAGE, "species": LABEL, name: TEXT}))
    assert (layout.image, layout.label, layout.identity) == ("photo", "species", name)
    assert layout.class_names == ("a", "b")
    assert layout.splits == {"train": ("x-0",)}
    assert layout.lengths == {"x-0": 3}


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


@pytest.mark.parametrize("name", ["a\nb", "\x1b]0;title\x07"])
def test_a_class_that_is_more_than_a_name_is_refused(name: str):
    label = tfds.features.ClassLabel(names=["a", name])
    with pytest.raises(DatasetLayoutError, match="control characters: rename it") as error:
        read_layout(_builder({"image": IMAGE, "label": label}))
    assert repr(name) in str(error.value) and name not in str(error.value)


def test_files_are_those_of_the_dataset_wherever_its_description_says():
    builder = _builder({"image": IMAGE, "label": LABEL})
    builder.info.splits["train"].filepaths = [pathlib.Path("/data/../../etc/passwd")]
    assert read_layout(builder).splits == {"train": ("passwd",)}


def _shard(folder: pathlib.Path, identity: str) -> list[Image]:
    """What is read of a file of one image with this id."""
    layout = Layout("image", "label", "file_name", ("../../evil", "/etc"), {"train": ("x-0",)})
    example = tf.train.Example()
    features = example.features.feature
    features["image"].bytes_list.value.append(b"photo")
    features["label"].int64_list.value.append(0)
    features["file_name"].bytes_list.value.append(identity.encode())
    with tf.io.TFRecordWriter(str(folder / "x-0")) as file:
        file.write(example.SerializeToString())
    return list(ReadShard(layout, str(folder), "train").process("x-0"))


@pytest.mark.parametrize(
    "identity", ["../../x.jpg", "/etc/passwd", "C:\\x", "=1+1", "<b>", "$(id)"]
)
def test_an_id_is_text_whatever_it_looks_like(tmp_path: pathlib.Path, identity: str):
    (image,) = _shard(tmp_path, identity)
    assert (image.identity, image.class_name) == (identity, "../../evil")


@pytest.mark.parametrize("identity", ["a\nb.jpg", "\0", "\x1b[2J.jpg", "a\tb"])
def test_an_id_with_control_characters_is_refused(tmp_path: pathlib.Path, identity: str):
    with pytest.raises(ValueError, match="control characters in its id") as error:
        _shard(tmp_path, identity)
    assert identity not in str(error.value)
