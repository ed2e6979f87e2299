"""Staged data: what is copied, under which name, and when it is not copied again."""

from __future__ import annotations

import pathlib

import pytest

from components.gallery_edit import ledger
from pipeline.deployment.staging import is_staged, place_for, place_of, stage
from pipeline.prepare import PreparedData
from pipeline.settings_loader import load_settings


@pytest.fixture
def data(tmp_path: pathlib.Path) -> PreparedData:
    folder = tmp_path / "local" / "flowers" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text('{"name": "flowers"}', "utf-8")
    (folder / "flowers-train.tfrecord-00000-of-00001").write_bytes(b"records")
    schema = tmp_path / "schema" / "schema.pbtxt"
    schema.parent.mkdir()
    schema.write_text("feature {}", "utf-8")
    return PreparedData(str(folder), ("a", "b"), {"train": 1}, str(schema))


@pytest.fixture
def root(tmp_path: pathlib.Path) -> str:
    return str(tmp_path / "bucket")


@pytest.fixture
def workdir(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "workdir"


def test_the_dataset_and_its_schema_are_copied(
    data: PreparedData, root: str, workdir: pathlib.Path
):
    assert not is_staged(place_of(root, data, str(workdir)))
    place = stage(root, data, str(workdir))
    assert place == place_of(root, data, str(workdir))
    assert is_staged(place)
    assert place.folder.startswith(f"{root}/data/")
    assert place.folder.endswith("/flowers/1.0.0")
    staged = pathlib.Path(place.folder)
    assert (staged / "flowers-train.tfrecord-00000-of-00001").read_bytes() == b"records"
    assert pathlib.Path(place.schema).read_text("utf-8") == "feature {}"
    assert place.ledger is None


def test_what_was_staged_is_left_alone(data: PreparedData, root: str, workdir: pathlib.Path):
    staged = pathlib.Path(stage(root, data, str(workdir)).folder)
    record = staged / "flowers-train.tfrecord-00000-of-00001"
    record.write_bytes(b"touched")
    stage(root, data, str(workdir))
    assert record.read_bytes() == b"touched"


def test_half_of_it_is_completed(data: PreparedData, root: str, workdir: pathlib.Path):
    place = stage(root, data, str(workdir))
    staged = pathlib.Path(place.folder)
    (staged / "staged.txt").unlink()
    record = staged / "flowers-train.tfrecord-00000-of-00001"
    record.write_bytes(b"rec")
    assert not is_staged(place)
    assert is_staged(stage(root, data, str(workdir)))
    assert record.read_bytes() == b"records"


def test_other_data_has_another_name(data: PreparedData, root: str, workdir: pathlib.Path):
    before = place_of(root, data, str(workdir))
    info = pathlib.Path(data.folder) / "dataset_info.json"
    info.write_text('{"name": "FLOWERS"}', "utf-8")
    assert place_of(root, data, str(workdir)) != before


def test_removed_photos_stay_removed(data: PreparedData, root: str, workdir: pathlib.Path):
    """The ledger of the workdir goes along, under a name that changes with it."""
    folder = workdir / "gallery"
    said = ledger.Ledger().removing(["train/7"], "2026-01-01")
    ledger.write(str(folder), said)
    first = stage(root, data, str(workdir))
    assert first.ledger is not None and is_staged(first)
    assert ledger.read(first.ledger.folder) == said
    assert first.ledger.digest == said.digest
    ledger.write(str(folder), said.removing(["train/8"], "2026-01-02"))
    second = stage(root, data, str(workdir))
    assert second.ledger is not None
    assert second.ledger.folder != first.ledger.folder
    assert second.folder == first.folder


def test_a_staged_folder_can_be_named(root: str, workdir: pathlib.Path):
    settings = load_settings("demo", ["deployment.data_folder=gs://elsewhere/flowers/1.0.0/"])
    place = place_for(settings, root, str(workdir))
    assert place.folder == "gs://elsewhere/flowers/1.0.0"
    assert place.schema == "gs://elsewhere/flowers/1.0.0/schema.pbtxt"
    assert not workdir.exists()
