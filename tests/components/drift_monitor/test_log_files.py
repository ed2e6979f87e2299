"""Finding the files of a log, and when they were written."""

from __future__ import annotations

import os
import pathlib

import pytest

from components.drift_monitor.log_files import find_logs, fingerprint, time_range

BEGUN = "req-20261125T123724.410177Z-6662.tfrecord"
LATER = "req-20261126T010000.000000Z-7.tfrecord"


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in (LATER, BEGUN, "requests-other.tfrecord", "notes.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "req-folder.tfrecord").mkdir()
    return tmp_path


def names(paths: list[str]) -> list[str]:
    return [os.path.basename(path) for path in paths]


def test_a_prefix_a_folder_and_a_file(folder: pathlib.Path):
    assert names(find_logs([folder / "req"])) == [BEGUN, LATER]
    assert names(find_logs([folder])) == [BEGUN, LATER, "requests-other.tfrecord"]
    assert names(find_logs([folder / "notes.txt"])) == ["notes.txt"]
    assert names(find_logs([folder / "req", folder, folder / BEGUN])) == names(find_logs([folder]))


def test_paths_are_absolute(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)
    assert find_logs(["req"]) == [str(folder / BEGUN), str(folder / LATER)]


def test_a_prefix_with_special_characters(tmp_path: pathlib.Path):
    path = tmp_path / "[a]*-1.tfrecord"
    path.write_text("")
    (tmp_path / "a1-1.tfrecord").write_text("")
    assert find_logs([tmp_path / "[a]*"]) == [str(path)]


@pytest.mark.parametrize("place", ["nothing", "empty"])
def test_nothing_there(tmp_path: pathlib.Path, place: str):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=f"{place}: no file.* --request-log"):
        find_logs([tmp_path / place])


def test_the_fingerprint_changes_with_what_is_written(folder: pathlib.Path):
    files = find_logs([folder / "req"])
    before = fingerprint(files)
    assert fingerprint(list(files)) == before and len(before) == 16
    assert fingerprint(files[:1]) != before
    with open(files[0], "a") as file:
        file.write("more")
    assert fingerprint(files) != before


def test_times(folder: pathlib.Path):
    files = find_logs([folder / "req"])
    os.utime(files[0], (0, 86400))
    os.utime(files[1], (0, 3600))
    assert time_range(files) == ("2026-11-25T12:37:24Z", "1970-01-02T00:00:00Z")
    assert time_range([str(folder / "notes.txt")]).begun is None
