"""The stored dataset: bytes as they were, names and labels right, for both kinds of source."""

from __future__ import annotations

import pathlib
from collections import Counter

import pytest
import tensorflow_datasets as tfds

from components.photo_folder.builder import Photos, PhotosConfig, fingerprint
from components.photo_folder.division import SPLITS, Division, EmptySplitError, divide
from components.photo_folder.scan import scan

DIVISION = Division(0.2, 0.2, 0)


def _stored(builder: tfds.core.DatasetBuilder) -> dict[str, dict[str, tuple[int, bytes]]]:
    """`{split: {file name: (label, encoded image)}}` as a TFDS user would read it."""
    decoders = {"image": tfds.decode.SkipDecoding()}
    return {
        split: {
            example["file_name"].decode(): (int(example["label"]), example["image"])
            for example in builder.as_dataset(split=split, decoders=decoders).as_numpy_iterator()
        }
        for split in SPLITS
    }


@pytest.fixture
def folder(tmp_path: pathlib.Path, make_photo) -> pathlib.Path:
    for index in range(15):
        kind = ("jpeg", "png", "gif")[index % 3]
        path = tmp_path / "photos" / ("blue bell", "Ёлка")[index % 2] / f"n° {index}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make_photo(index, kind))
    return tmp_path / "photos"


def test_files_are_stored_byte_for_byte(folder: pathlib.Path, tmp_path: pathlib.Path):
    photos = tuple(scan(folder))
    config = PhotosConfig(
        name="here", photos=photos, class_names=("blue bell", "Ёлка"), division=DIVISION
    )
    builder = Photos(config=config, data_dir=tmp_path / "data")
    builder.download_and_prepare()
    assert builder.info.features["label"].names == ["blue bell", "Ёлка"]
    stored = _stored(builder)
    expected = divide([(photo.relative, photo.class_name) for photo in photos], DIVISION)
    assert {name: split for split in SPLITS for name in stored[split]} == expected
    for split in SPLITS:
        for name, (label, image) in stored[split].items():
            assert image == (folder / name).read_bytes()
            assert name.startswith(("blue bell/", "Ёлка/")[label])
    assert len(repr(config)) < 400, "TFDS logs it: not with every photo's name"


def test_a_dataset_without_validation_is_divided_anew(
    tmp_path: pathlib.Path, make_photo, write_dataset
):
    images = [make_photo(index) for index in range(30)]
    examples = [(image, index % 3, None) for index, image in enumerate(images)]
    source = write_dataset(
        tmp_path, "source", ("a", "b", "c"), {"train": [examples[:20]], "test": [examples[20:]]}
    )
    config = PhotosConfig(
        name="anew",
        source=tfds.builder_from_directory(source),
        class_names=("a", "b", "c"),
        division=DIVISION,
    )
    builder = Photos(config=config, data_dir=tmp_path / "data")
    builder.download_and_prepare()
    stored = _stored(builder)
    found = [pair for split in SPLITS for pair in stored[split].values()]
    assert sorted(found) == sorted((label, image) for image, label, _ in examples)
    assert {split: Counter(label for label, _ in stored[split].values()) for split in SPLITS} == {
        "train": {0: 6, 1: 6, 2: 6},
        "validation": {0: 2, 1: 2, 2: 2},
        "test": {0: 2, 1: 2, 2: 2},
    }
    names = [name for split in SPLITS for name in stored[split]]
    assert len(set(names)) == 30


def test_a_split_that_would_be_empty_is_named(folder: pathlib.Path, tmp_path: pathlib.Path):
    config = PhotosConfig(
        name="empty",
        photos=tuple(scan(folder)),
        class_names=("blue bell", "Ёлка"),
        division=Division(0.0, 0.2, 0),
    )
    with pytest.raises(EmptySplitError, match="validation would have none of the 15 images"):
        Photos(config=config, data_dir=tmp_path / "data").download_and_prepare()
    assert not list((tmp_path / "data").glob("photos/**/*.tfrecord*"))


def test_the_fingerprint_sees_every_part():
    parts = ("path", (1, 2), Division(0.1, 0.1, 0))
    assert fingerprint(*parts) == fingerprint(*parts)
    others = [("path", (1, 3), parts[2]), ("other", *parts[1:]), (*parts[:2], DIVISION)]
    assert len({fingerprint(*parts), *(fingerprint(*other) for other in others)}) == 4
