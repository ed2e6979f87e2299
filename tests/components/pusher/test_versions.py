"""Version folders: whole, rising, and never the same model twice in a row."""

from __future__ import annotations

import os
import pathlib
import signal
import threading
import time

import pytest
from tfx.utils import io_utils

from components.pusher import digests, versions
from serving.version_folders import find
from tests.small_disk import remount, small_disk


def model(folder: pathlib.Path, content: str) -> str:
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text(content)
    (folder / "variables" / "variables.index").write_text("index")
    return str(folder)


def files(folder: str) -> set[str]:
    root = pathlib.Path(folder)
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_a_published_version_holds_the_model(tmp_path: pathlib.Path) -> None:
    source = model(tmp_path / "model", "a")
    result = versions.publish(source, str(tmp_path / "serving"))
    assert result.is_new
    assert pathlib.Path(result.path).name == str(result.version)
    assert files(source) < files(result.path)
    assert abs(result.version - time.time()) < 5


def test_the_same_model_is_not_published_twice(tmp_path: pathlib.Path) -> None:
    base = str(tmp_path / "serving")
    first = versions.publish(model(tmp_path / "a", "a"), base)
    again = versions.publish(model(tmp_path / "a2", "a"), base)
    assert (again.path, again.is_new) == (first.path, False)
    assert versions.complete_versions(base) == [first.version]


def test_an_older_model_is_published_anew_since_the_newest_is_served(
    tmp_path: pathlib.Path,
) -> None:
    base = str(tmp_path / "serving")
    a, b = model(tmp_path / "a", "a"), model(tmp_path / "b", "b")
    numbers = [versions.publish(source, base).version for source in (a, b, a)]
    assert numbers == sorted(set(numbers))
    assert versions.newest_digest(base).startswith(f"{numbers[-1]}:")


def test_versions_rise_when_the_clock_stands_still(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions.time, "time", lambda: 1000.0)
    base = str(tmp_path / "serving")
    for name in "abc":
        versions.publish(model(tmp_path / name, name), base)
    assert versions.complete_versions(base) == [1000, 1001, 1002]


def test_versions_rise_when_the_clock_goes_back(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = str(tmp_path / "serving")
    for now, name in zip((1000.0, 400.0, -5.0), "abc", strict=True):
        monkeypatch.setattr(versions.time, "time", lambda now=now: now)
        versions.publish(model(tmp_path / name, name), base)
    assert versions.complete_versions(base) == [1000, 1001, 1002]


def test_a_push_that_dies_leaves_no_version_and_no_rest(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, source = str(tmp_path / "serving"), model(tmp_path / "a", "a")
    with monkeypatch.context() as patch:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(versions.io_utils, "copy_file", die)
        with pytest.raises(KeyboardInterrupt):
            versions.publish(source, base)
    assert versions.complete_versions(base) == []
    assert not any(path.name.isdigit() for path in pathlib.Path(base).iterdir())
    result = versions.publish(source, base)
    assert [path.name for path in pathlib.Path(base).iterdir()] == [str(result.version)]


def test_a_process_that_is_killed_while_it_copies_leaves_no_version(
    tmp_path: pathlib.Path,
) -> None:
    base, source = tmp_path / "serving", model(tmp_path / "a", "a")
    for index in range(3000):
        (tmp_path / "a" / "variables" / f"part-{index}").write_text("x")
    child = os.fork()
    if child == 0:
        versions.publish(source, str(base))
        os._exit(0)
    while len(list(base.glob(".partial-*/variables/*"))) < 20:
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    # What it had copied is there, and nobody takes it for a version.
    (half,) = base.iterdir()
    assert 20 <= len(files(str(half))) < len(files(source))
    assert find(str(base)) == {} and versions.complete_versions(str(base)) == []
    result = versions.publish(source, str(base))
    assert [path.name for path in base.iterdir()] == [str(result.version)]
    assert find(str(base)) == {result.version: result.path}
    assert files(result.path) == files(source) | {digests.FILE}


def test_a_disk_that_is_full_keeps_the_version_before_and_gets_no_half_one(
    tmp_path: pathlib.Path,
) -> None:
    first, second = model(tmp_path / "a", "a"), model(tmp_path / "b", "b")
    (tmp_path / "b" / "variables" / "variables.data").write_bytes(bytes(2**21))
    with small_disk(tmp_path / "disk", "1m") as disk:
        base = disk / "serving"
        before = versions.publish(first, str(base))
        with pytest.raises(Exception, match="No space left on device"):
            versions.publish(second, str(base))
        assert find(str(base)) == {before.version: before.path}
        # Nor does what was copied go on filling the disk.
        assert [path.name for path in base.iterdir()] == [str(before.version)]
        remount(disk, "size=4m")
        after = versions.publish(second, str(base))
        assert {path.name for path in base.iterdir()} == {str(before.version), str(after.version)}
        assert files(after.path) == files(second) | {digests.FILE}


def test_a_watcher_never_sees_part_of_a_version(tmp_path: pathlib.Path) -> None:
    base, source = tmp_path / "serving", model(tmp_path / "a", "a")
    for index in range(200):
        (tmp_path / "a" / "variables" / f"part-{index}").write_text("x")
    expected = files(source) | {digests.FILE}
    seen: list[set[str]] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            if base.is_dir():
                seen.extend(files(str(p)) for p in base.iterdir() if p.name.isdigit())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        versions.publish(source, str(base))
        time.sleep(0.2)
    finally:
        done.set()
        watcher.join()
    assert seen
    assert all(found == expected for found in seen)


def test_a_folder_that_holds_no_model_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty holds no saved_model.pb"):
        versions.publish(str(tmp_path / "empty"), str(tmp_path / "serving"))
    assert not (tmp_path / "serving").exists()


def test_incomplete_and_other_folders_are_no_versions(tmp_path: pathlib.Path) -> None:
    (tmp_path / "7").mkdir()
    io_utils.write_string_file(str(tmp_path / "latest" / "saved_model.pb"), "x")
    io_utils.write_string_file(str(tmp_path / "12" / "saved_model.pb"), "x")
    assert versions.complete_versions(str(tmp_path)) == [12]
    assert versions.newest_digest(str(tmp_path)) == "12:"
    assert versions.newest_digest(str(tmp_path / "absent")) == ""
