"""The settings that a workdir keeps of the run whose model is served."""

from __future__ import annotations

import os
import pathlib

import pytest

from pipeline.saved_settings import FILE, save_settings, saved_settings
from pipeline.settings_loader import SettingsError, load_settings


def test_they_come_back_with_paths_that_mean_the_same_anywhere(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = load_settings(
        "demo",
        ["data.folder=my photos: a #1", "gallery.splits=[train]", "data.data_dir=gs://bucket/x"],
    )
    (tmp_path / "work").mkdir()
    save_settings(tmp_path / "work", given)
    assert [path.name for path in (tmp_path / "work").iterdir()] == [FILE]
    monkeypatch.chdir("/")
    read = saved_settings(tmp_path / "work", None, [])
    assert read.data.folder == os.path.join(tmp_path, "my photos: a #1")
    assert read.data.data_dir == "gs://bucket/x"
    same = given.model_copy(update={"data": read.data})
    assert read == same


def test_they_can_be_overridden_or_replaced(tmp_path: pathlib.Path) -> None:
    save_settings(tmp_path, load_settings("demo", ["gallery.neighbours=7"]))
    assert saved_settings(tmp_path, None, []).gallery.neighbours == 7
    assert saved_settings(tmp_path, None, ["gallery.neighbours=9"]).gallery.neighbours == 9
    assert saved_settings(tmp_path, "flowers102", []) == load_settings("flowers102")


def test_where_nothing_was_pushed_there_are_none(tmp_path: pathlib.Path) -> None:
    with pytest.raises(SettingsError, match="settings.yaml is not there: .*--preset"):
        saved_settings(tmp_path, None, [])
    assert saved_settings(tmp_path, "demo", []) == load_settings("demo")
