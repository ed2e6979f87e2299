"""Which version is served, with a loader that only reads a file: no TensorFlow."""

import time

import pytest

from serving.errors import Code, ServingError
from serving.versions import ModelVersions
from tests.serving.version_files import Loaded, delete, eventually, served, states, write


def test_the_newest_by_number_not_by_name(watch, tmp_path):
    for version in (9, 10, 2):
        write(tmp_path, version)
    versions = watch()
    versions.wait_until_available(10)
    assert served(versions) == 10
    assert versions.get(10).content == "fine"
    with pytest.raises(ServingError, match=r"Specific\(m, 9\)"):
        versions.get(9)
    assert states(versions) == [(10, "AVAILABLE")]


def test_only_complete_version_folders_count(watch, tmp_path):
    write(tmp_path, 1)
    for name in ("2", "tmp-3", "-4", "5a", "٦", "9" * 30):
        (tmp_path / name).mkdir()
    for name in ("tmp-3", "-4", "5a", "٦", "9" * 30):
        (tmp_path / name / "saved_model.pb").write_text("fine")
    (tmp_path / "7").write_text("a file")
    versions = watch()
    versions.wait_until_available(10)
    assert served(versions) == 1
    write(tmp_path, 2)
    eventually(lambda: served(versions) == 2)


def test_an_empty_folder_is_waited_for(watch, tmp_path):
    versions = watch()
    with pytest.raises(ServingError) as caught:
        versions.wait_until_available(0.05)
    assert caught.value.code is Code.DEADLINE_EXCEEDED
    with pytest.raises(ServingError, match=r"Servable not found for request: Latest\(m\)"):
        versions.get()
    write(tmp_path, 1)
    versions.wait_until_available(10)


def test_a_missing_base_path_is_an_error_at_the_start(loader, tmp_path):
    for path in (str(tmp_path / "nowhere"), f"file://{tmp_path}/nowhere", "no-such-scheme://m"):
        with pytest.raises(OSError, match="the base path .*no"):
            ModelVersions("m", path, loader).start()


def test_a_base_path_that_vanishes_later_is_endured(watch, tmp_path):
    write(tmp_path, 1)
    versions = watch()
    versions.wait_until_available(10)
    tmp_path.rename(tmp_path.with_name("away"))
    time.sleep(0.1)
    assert served(versions) == 1
    tmp_path.with_name("away").rename(tmp_path)
    write(tmp_path, 2)
    eventually(lambda: served(versions) == 2)


def test_the_old_version_serves_until_the_new_one_is_loaded(watch, loader, tmp_path):
    write(tmp_path, 1)
    versions = watch()
    versions.wait_until_available(10)
    write(tmp_path, 2, "slow")
    eventually(lambda: states(versions) == [(2, "LOADING"), (1, "AVAILABLE")])
    assert served(versions) == 1
    loader.go_on.set()
    eventually(lambda: served(versions) == 2)
    eventually(lambda: states(versions) == [(2, "AVAILABLE"), (1, "END")])


def test_a_broken_new_version_leaves_the_old_one(watch, loader, tmp_path):
    write(tmp_path, 1)
    versions = watch()
    versions.wait_until_available(10)
    write(tmp_path, 2, "broken")
    eventually(lambda: states(versions) == [(2, "END"), (1, "AVAILABLE")])
    error = versions.statuses()[0].error
    assert (error.code, error.message) == (Code.DATA_LOSS, "version 2 is broken")
    assert served(versions) == 1
    write(tmp_path, 3, "odd")
    eventually(lambda: (3, "END") in states(versions))
    assert versions.statuses()[0].error.message == "RuntimeError: odd"
    write(tmp_path, 4)
    eventually(lambda: served(versions) == 4)
    assert loader.loads == [1, 2, 3, 4]


def test_a_failed_load_is_tried_again_so_many_times(watch, loader, tmp_path):
    write(tmp_path, 1, "broken")
    watch(max_load_retries=3)
    eventually(lambda: len(loader.loads) == 4)
    time.sleep(0.1)
    assert loader.loads == [1] * 4


def test_a_retry_can_succeed_and_waits_its_time(watch, loader, tmp_path):
    write(tmp_path, 1, "broken")
    begin = time.monotonic()
    versions = watch(max_load_retries=3, retry_seconds=0.3)
    eventually(lambda: states(versions) == [(1, "END")])
    write(tmp_path, 1)
    eventually(lambda: served(versions) == 1)
    assert time.monotonic() - begin >= 0.3 and loader.loads == [1, 1]
    assert versions.statuses()[0].error is None


def test_a_broken_version_that_is_put_there_anew_is_tried_anew(watch, loader, tmp_path):
    write(tmp_path, 1, "broken")
    versions = watch()
    eventually(lambda: states(versions) == [(1, "END")])
    delete(tmp_path, 1)
    time.sleep(0.1)
    write(tmp_path, 1)
    eventually(lambda: served(versions) == 1)


def test_after_a_restart_the_newest_that_can_be_loaded(watch, loader, tmp_path):
    write(tmp_path, 1)
    write(tmp_path, 2)
    write(tmp_path, 3, "broken")
    versions = watch()
    versions.wait_until_available(10)
    assert loader.loads == [3, 2] and served(versions) == 2


def test_deleting_the_newest_goes_back_to_the_one_before(watch, tmp_path):
    write(tmp_path, 1)
    write(tmp_path, 2)
    versions = watch()
    versions.wait_until_available(10)
    delete(tmp_path, 2)
    eventually(lambda: served(versions) == 1)
    assert states(versions) == [(2, "END"), (1, "AVAILABLE")]
    delete(tmp_path, 1)
    eventually(lambda: served(versions) is None)
    assert states(versions) == [(2, "END"), (1, "END")]


def test_waiting_raises_what_the_load_raised(watch, tmp_path):
    write(tmp_path, 1, "odd")
    write(tmp_path, 2, "broken")
    with pytest.raises(ServingError, match="version 2 is broken"):
        watch().wait_until_available(10)


def test_looking_only_once(watch, loader, tmp_path):
    write(tmp_path, 1)
    versions = watch(poll_seconds=0)
    versions.wait_until_available(10)
    write(tmp_path, 2)
    time.sleep(1.2)  # the thread's own rhythm is a second then
    assert served(versions) == 1


def test_statuses_do_not_pile_up(watch, tmp_path, monkeypatch):
    monkeypatch.setattr("serving.versions._ENDED_VERSIONS_KEPT", 2)
    versions = watch()
    for version in (5, 6, 7, 8):
        write(tmp_path, version)
        eventually(lambda version=version: served(versions) == version)
    assert states(versions) == [(8, "AVAILABLE"), (7, "END"), (6, "END")]


def test_urls_are_read_through_tensorflow(loader, tmp_path):
    write(tmp_path, 3)
    write(tmp_path, "004")
    (tmp_path / "5").mkdir()

    def load(name: str, version: int, folder: str) -> Loaded:
        return Loaded(version, folder)

    versions = ModelVersions("m", f"file://{tmp_path}", load)
    versions.start()
    versions.wait_until_available(10)
    versions_folder = versions.get(4).content
    versions.stop()
    assert versions_folder == f"file://{tmp_path}/004"
