"""From settings to a prepared folder and a schema: own photos, TFDS data, and what goes wrong."""

from __future__ import annotations

import os
import pathlib

import pytest
import requests
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.photo_folder.division import SPLITS
from components.tfds_example_gen.layout import read_layout
from pipeline.prepare import PreparedData, PrepareError, prepare
from pipeline.settings import DataSettings, DivisionSettings


@pytest.fixture
def photos(tmp_path: pathlib.Path, make_photo) -> pathlib.Path:
    for index in range(20):
        path = tmp_path / "my photos" / ("rose", "Ёлка")[index % 2] / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make_photo(index))
    return tmp_path / "my photos"


def _check_folder(data: PreparedData) -> None:
    """What the pipeline takes from `data` is what lies on disk."""
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(data.folder)
    assert read_layout(builder).class_names == data.class_names
    assert {split: builder.info.splits[split].num_examples for split in SPLITS} == data.split_sizes
    for split in SPLITS:
        assert list(pathlib.Path(data.folder).glob(f"*-{split}.tfrecord*"))
    schema = text_format.Parse(
        pathlib.Path(data.schema_path).read_text("utf-8"), schema_pb2.Schema()
    )
    domains = {feature.name: feature for feature in schema.feature}
    assert tuple(domains["class_name"].string_domain.value) == data.class_names
    assert domains["label"].int_domain.max == len(data.class_names) - 1


def test_a_folder_of_photos(photos: pathlib.Path, tmp_path: pathlib.Path):
    settings = DataSettings(folder=str(photos))
    data = prepare(settings, tmp_path / "work")
    _check_folder(data)
    assert data.class_names == ("rose", "Ёлка")
    assert data.split_sizes == {"train": 12, "validation": 4, "test": 4}
    assert pathlib.Path(data.folder).is_relative_to(tmp_path / "work" / "data")

    files = {path: path.stat().st_mtime_ns for path in pathlib.Path(data.folder).iterdir()}
    assert prepare(settings, tmp_path / "work") == data
    assert {path: path.stat().st_mtime_ns for path in files} == files, "nothing is written twice"

    changed = photos / "rose" / "0.jpg"
    stamp = changed.stat().st_mtime_ns
    os.utime(changed, ns=(stamp, stamp + 1_000_000_000))
    assert prepare(settings, tmp_path / "work").folder != data.folder


def test_another_division_is_another_dataset(photos: pathlib.Path, tmp_path: pathlib.Path):
    division = DivisionSettings(validation_share=0.3, test_share=0.2)
    data = prepare(
        DataSettings(folder=str(photos), division=division, data_dir=str(tmp_path / "mine")),
        tmp_path / "work",
    )
    assert data.split_sizes == {"train": 10, "validation": 6, "test": 4}
    assert pathlib.Path(data.folder).is_relative_to(tmp_path / "mine")


@pytest.mark.parametrize(
    ("division", "message"),
    [
        (DivisionSettings(validation_share=0.0), "validation would have none of the 20 images"),
        (DivisionSettings(test_share=0.0), "test would have none of the 20 images"),
    ],
)
def test_a_split_without_photos(
    division: DivisionSettings, message: str, photos: pathlib.Path, tmp_path: pathlib.Path
):
    with pytest.raises(PrepareError, match=message) as error:
        prepare(DataSettings(folder=str(photos), division=division), tmp_path / "work")
    assert str(photos) in str(error.value) and "data.division" in str(error.value)


def test_split_folders_that_leave_one_out(tmp_path: pathlib.Path, make_photo):
    for name in ("train/a/1", "train/b/2", "test/a/3", "test/b/4"):
        path = tmp_path / "photos" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make_photo(0))
    with pytest.raises(PrepareError, match="add photos in validation/CLASS"):
        prepare(DataSettings(folder=str(tmp_path / "photos")), tmp_path / "work")


def test_a_folder_that_is_missing(tmp_path: pathlib.Path):
    with pytest.raises(PrepareError, match="nowhere is not a folder"):
        prepare(DataSettings(folder=str(tmp_path / "nowhere")), tmp_path)


def test_a_stored_tfds_dataset_is_used_where_it_is(
    shared_folder: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(shared_folder.parent)  # a relative path must not survive
    data_dir = shared_folder.name + "/data/tfds"
    data = prepare(DataSettings(dataset="oxford_flowers102", data_dir=data_dir), tmp_path)
    _check_folder(data)
    assert data.folder == str(shared_folder / "data/tfds/oxford_flowers102/2.1.1")
    assert data.split_sizes == {"train": 1020, "validation": 1020, "test": 6149}
    assert len(data.class_names) == 102 and data.class_names[0] == "pink primrose"
    assert not (tmp_path / "data").exists()


def test_a_dataset_without_validation_is_divided_anew(
    tmp_path: pathlib.Path, make_photo, write_dataset
):
    shard = [(make_photo(index), index % 2, str(index)) for index in range(20)]
    write_dataset(
        tmp_path / "tfds", "my_flowers", ("a", "b"), {"train": [shard[:15]], "test": [shard[15:]]}
    )
    settings = DataSettings(dataset="my_flowers", data_dir=str(tmp_path / "tfds"))
    data = prepare(settings, tmp_path / "work")
    _check_folder(data)
    assert data.split_sizes == {"train": 12, "validation": 4, "test": 4}


def test_a_dataset_with_an_empty_split(tmp_path: pathlib.Path, make_photo, write_dataset):
    shard = [(make_photo(index), index % 2, str(index)) for index in range(4)]
    splits = {"train": [shard], "validation": [shard], "test": [[]]}
    write_dataset(tmp_path, "my_flowers", ("a", "b"), splits)
    with pytest.raises(PrepareError, match="my_flowers/1.0.0 has no images in its split test"):
        prepare(DataSettings(dataset="my_flowers", data_dir=str(tmp_path)), tmp_path / "work")


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("no_such_flowers", "is no TFDS dataset, nor one stored in"),
        ("oxford_flowers102:9.9.9", "9.9.9"),
        ("oxford_flowers102/no_such_config", "no_such_config"),
    ],
)
def test_a_dataset_that_tfds_does_not_know(dataset: str, message: str, tmp_path: pathlib.Path):
    with pytest.raises(PrepareError, match=message) as error:
        prepare(DataSettings(dataset=dataset, data_dir=str(tmp_path)), tmp_path)
    assert f"data.dataset={dataset!r}" in str(error.value)


def test_a_download_without_a_network(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(self: requests.Session, method: str, url: str, **options: object) -> None:
        raise requests.ConnectionError(f"no route to {url}")

    monkeypatch.setattr(requests.Session, "request", refuse)
    settings = DataSettings(dataset="oxford_flowers102", data_dir=str(tmp_path / "tfds"))
    with pytest.raises(PrepareError) as error:
        prepare(settings, tmp_path)
    message = str(error.value)
    assert "could not download oxford_flowers102" in message and "no route to" in message
    assert "data.data_dir" in message


def test_a_dataset_that_is_no_image_classification(tmp_path: pathlib.Path):
    import tensorflow as tf
    import tensorflow_datasets as tfds

    folder = tmp_path / "poems" / "1.0.0"
    folder.mkdir(parents=True)
    template = tfds.core.ShardedFileTemplate(
        data_dir=folder, dataset_name="poems", filetype_suffix="tfrecord"
    )
    splits = []
    for split in SPLITS:
        tf.io.TFRecordWriter(str(folder / f"poems-{split}.tfrecord-00000-of-00001")).close()
        splits.append(
            tfds.core.SplitInfo(
                name=split, shard_lengths=[1], num_bytes=0, filename_template=template
            )
        )
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features={"text": tfds.features.Text()},
        split_infos=splits,
        filename_template=template,
        check_data=False,
    )
    with pytest.raises(PrepareError, match="poems/1.0.0 has 0 image features"):
        prepare(DataSettings(dataset="poems", data_dir=str(tmp_path)), tmp_path / "work")
