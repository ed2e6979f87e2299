"""A tiny prepared dataset through the real component: features, bytes, ids, refusals, cache."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
from typing import Any

import apache_beam as beam
import pytest
import tensorflow as tf
from tfx import v1 as tfx
from tfx.orchestration import metadata
from tfx.types import artifact_utils

from components.tfds_example_gen.component import TfdsExampleGen
from components.tfds_example_gen.config import IngestionConfig
from components.tfds_example_gen.executor import Executor

SPLITS = ("train", "validation", "test")
CLASSES = ("rose", "Ёлка", "blue bell")


def _write(
    write_dataset: Any, make_photo: Any, data_dir: pathlib.Path, name: str, named: bool = True
) -> pathlib.Path:
    kinds = ("jpeg", "png", "gif")
    examples = [
        (make_photo(i, kinds[i % 3]), i % 3, f"фото {i}.jpg" if named else None) for i in range(20)
    ]
    splits = {
        "train": [examples[:4], examples[4:10]],
        "validation": [examples[10:15]],
        "test": [examples[15:]],
    }
    return write_dataset(data_dir, name, CLASSES, splits)


def _config(code: str = "1", share: float = 0.0, drop: bool = False) -> IngestionConfig:
    return IngestionConfig(canonical_size=32, max_bad_share=share, drop_leaks=drop, code=code)


def _run(
    folder: pathlib.Path, root: pathlib.Path, config: IngestionConfig | None = None
) -> list[Any]:
    """Runs a pipeline of this component alone and returns the executions there have been."""
    connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(
        str(root / "metadata.sqlite")
    )
    tfx.orchestration.LocalDagRunner().run(
        tfx.dsl.Pipeline(
            pipeline_name="ingestion",
            pipeline_root=str(root / "artifacts"),
            components=[TfdsExampleGen(str(folder), SPLITS, config or _config())],
            enable_cache=True,
            metadata_connection_config=connection,
            beam_pipeline_args=["--runner=FnApiRunner"],
        )
    )
    with metadata.Metadata(connection) as store:
        return store.store.get_executions()


def _read(uri: str, split: str) -> list[tf.train.Example]:
    files = tf.io.gfile.glob(f"{uri}/Split-{split}/*")
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator()
    return [tf.train.Example.FromString(record) for record in records]


@pytest.fixture(scope="module")
def ingested(tmp_path_factory, write_dataset, make_photo) -> tuple[pathlib.Path, Any, list[Any]]:
    """The dataset's folder, the Examples artifact made of it, and where it was made."""
    root = tmp_path_factory.mktemp("ingestion")
    folder = _write(write_dataset, make_photo, root / "data", "tiny")
    executions = _run(folder, root)
    with metadata.Metadata(
        tfx.orchestration.metadata.sqlite_metadata_connection_config(str(root / "metadata.sqlite"))
    ) as store:
        (artifact,) = store.store.get_artifacts_by_type("Examples")
    return folder, artifact, executions


def test_examples_have_the_features_and_the_original_bytes(ingested, make_photo):
    _, artifact, _ = ingested
    splits = artifact_utils.decode_split_names(artifact.properties["split_names"].string_value)
    assert sorted(splits) == sorted(SPLITS)
    kinds, ids = ("jpeg", "png", "gif"), []
    for split, numbers in (
        ("train", range(10)),
        ("validation", range(10, 15)),
        ("test", range(15, 20)),
    ):
        found = {}
        for example in _read(artifact.uri, split):
            feature = example.features.feature
            assert set(feature) == {"image", "label", "class_name", "id", "split"}
            assert feature["split"].bytes_list.value == [split.encode()]
            identity = feature["id"].bytes_list.value[0].decode()
            (label,) = feature["label"].int64_list.value
            assert feature["class_name"].bytes_list.value == [CLASSES[label].encode()]
            found[identity] = (label, feature["image"].bytes_list.value[0])
            ids.append(identity)
        expected = {f"фото {i}.jpg": (i % 3, make_photo(i, kinds[i % 3])) for i in numbers}
        assert found == expected
    assert len(ids) == len(set(ids)) == 20


def test_cache_follows_data_and_code(ingested, tmp_path: pathlib.Path, make_photo, write_dataset):
    folder, _, first = ingested
    root = folder.parents[2]
    assert len(first) == 1

    def state(executions: list[Any]) -> str:
        newest = max(executions, key=lambda execution: execution.id)
        return type(newest).State.Name(newest.last_known_state)

    assert state(first) == "COMPLETE"
    assert state(_run(folder, root)) == "CACHED"
    assert state(_run(folder, root, _config("2"))) == "COMPLETE"
    other = write_dataset(
        tmp_path,
        "tiny",
        CLASSES,
        {split: [[(make_photo(99), 0, split)]] for split in SPLITS},
    )
    for file in other.iterdir():
        shutil.copy(file, folder)
    for file in folder.glob("*-0000?-of-00002"):
        file.unlink()
    assert state(_run(folder, root, _config("2"))) == "COMPLETE"


def _ids(folder: pathlib.Path, pattern: str, output: pathlib.Path) -> list[str]:
    """Runs the transform of one split and returns the ids that come out, sorted."""
    read = Executor(None).GetInputSourceToExamplePTransform()
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        (
            pipeline
            | read(exec_properties={"input_base": str(folder)}, split_pattern=pattern)
            | beam.Map(lambda image: image.identity)
            | beam.io.WriteToText(str(output / "ids"), num_shards=1, shard_name_template="")
        )
    return sorted((output / "ids").read_text("utf-8").splitlines())


def test_without_a_name_an_image_is_called_by_its_place(
    tmp_path: pathlib.Path, write_dataset, make_photo
):
    folder = _write(write_dataset, make_photo, tmp_path, "nameless", named=False)
    found = _ids(folder, "*-train.tfrecord*", tmp_path)
    shards = [("00000", 4), ("00001", 6)]
    assert found == [
        f"nameless-train.tfrecord-{shard}-of-00002:{i}" for shard, n in shards for i in range(n)
    ]


def test_classes_are_held_out_of_given_splits(tmp_path: pathlib.Path, write_dataset, make_photo):
    folder = _write(write_dataset, make_photo, tmp_path / "data", "tiny")
    config = dataclasses.replace(_config(), held_out_classes=0.33, held_out_only=True)
    _run(folder, tmp_path, config)
    (uri,) = (tmp_path / "artifacts/TfdsExampleGen/examples").iterdir()
    found = {split: _read(str(uri), split) for split in SPLITS}
    labels = {
        split: {example.features.feature["label"].int64_list.value[0] for example in examples}
        for split, examples in found.items()
    }
    (held_out,) = labels["test"]
    assert labels["train"] == labels["validation"] == {0, 1, 2} - {held_out}
    # All of its images, from whatever split, and none of them is called anything but test.
    assert len(found["test"]) == sum(i % 3 == held_out for i in range(20))
    texts = [example.features.feature["split"].bytes_list.value[0] for example in found["test"]]
    assert set(texts) == {b"test"}


@pytest.mark.parametrize("other", ["train", "test"])
def test_two_images_of_one_id_are_refused(
    other: str, tmp_path: pathlib.Path, write_dataset, make_photo
):
    splits = {split: [[(make_photo(i), 0, split)]] for i, split in enumerate(SPLITS)}
    splits["train"] = [[(make_photo(7), 0, "same")]]
    splits[other] = [*splits[other], [(make_photo(8), 1, "same")]]
    folder = write_dataset(tmp_path, "twice", CLASSES, splits)
    where = ", ".join(sorted(["train", other]))
    message = rf"2 images share the id 'same' \(in {where}\); ids must be unique"
    with pytest.raises(Exception, match=message):
        _run(folder, tmp_path)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_is_refused(
    label: int, tmp_path: pathlib.Path, write_dataset, make_photo
):
    folder = write_dataset(
        tmp_path, "wrong", CLASSES, {"test": [[(make_photo(0), label, "bad.jpg")]]}
    )
    message = f"bad.jpg' of split test has label {label}; the dataset has classes 0 to 2"
    with pytest.raises(Exception, match=message):
        _ids(folder, "*-test.tfrecord*", tmp_path)


def test_files_that_are_no_whole_split_are_refused(
    tmp_path: pathlib.Path, write_dataset, make_photo
):
    folder = _write(write_dataset, make_photo, tmp_path, "tiny")
    next(folder.glob("*-train.tfrecord-00001*")).unlink()
    with pytest.raises(ValueError, match="matches 1 files, which is no split of the dataset"):
        _ids(folder, "*-train.tfrecord*", tmp_path)
    with pytest.raises(ValueError, match="lists them: train, validation, test"):
        _ids(folder, "*-dev.tfrecord*", tmp_path)


def test_real_data(shared_folder: pathlib.Path, tmp_path: pathlib.Path):
    folder = shared_folder / "data/tfds/oxford_flowers102/2.1.1"
    ids = _ids(folder, "*-validation.tfrecord*", tmp_path)
    assert len(ids) == len(set(ids)) == 1020
    assert all(name.startswith("image_") and name.endswith(".jpg") for name in ids)
