"""The script that copies versions from a bucket: whole versions, the newest, and never nothing.

The bucket is a folder. rclone is a small stand-in that knows two of its commands, and also the real
one where that is installed.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from tests.serving.deploy.deploy_files import DEPLOY

SCRIPT = DEPLOY / "kubernetes" / "bucket" / "sync_versions.sh"

STAND_IN = """#!/bin/sh
set -eu
case $1 in
  lsf)
    for last; do :; done
    [ -d "$last" ] || { echo "directory not found" >&2; exit 3; }
    cd "$last" && find . -mindepth 2 -maxdepth 2 -name saved_model.pb | sed 's|^\\./||'
    ;;
  copy)
    [ -d "$2" ] || exit 3
    mkdir -p "$3" && cp -r "$2/." "$3/"
    ;;
  *) exit 2 ;;
esac
"""


@pytest.fixture(params=["stand-in", "rclone"])
def programs(request, tmp_path) -> str:
    """A PATH with rclone on it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    if request.param == "rclone":
        real = shutil.which("rclone")
        if real is None:
            pytest.skip("rclone is not installed")
        (folder / "rclone").symlink_to(real)
    else:
        (folder / "rclone").write_text(STAND_IN)
        (folder / "rclone").chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


class Sync:
    """The script, a bucket and a server's folder."""

    def __init__(self, folder: pathlib.Path, path: str) -> None:
        self.bucket, self.target = folder / "bucket", folder / "models" / "flowers"
        self.bucket.mkdir()
        self.environment = {
            "PATH": path,
            "HOME": str(folder),
            "SOURCE": str(self.bucket),
            "TARGET": str(self.target),
            "KEEP": "2",
            "INTERVAL": "1",
            "RCLONE_CONFIG": str(folder / "rclone.conf"),
            "RCLONE_LOG_LEVEL": "ERROR",
        }

    def push(self, version: int | str, complete: bool = True) -> None:
        folder = self.bucket / str(version)
        (folder / "variables").mkdir(parents=True, exist_ok=True)
        (folder / "variables" / "variables.index").write_text(f"variables of {version}")
        if complete:
            (folder / "saved_model.pb").write_text(f"graph of {version}")

    def __call__(self, command: str = "once") -> subprocess.CompletedProcess:
        return subprocess.run(
            ["/bin/sh", str(SCRIPT), command],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def versions(self) -> list[str]:
        """What a server would see, and whatever else is there."""
        return sorted(os.listdir(self.target))


@pytest.fixture
def sync(programs, tmp_path) -> Sync:
    return Sync(tmp_path, programs)


def test_the_newest_complete_versions_are_copied(sync):
    for version in (9, 10, 1795523810, "staging", "007"):
        sync.push(version)
    sync.push(1795523999, complete=False)
    result = sync()
    assert result.returncode == 0, result.stderr
    assert sync.versions() == ["10", "1795523810"]
    index = sync.target / "10" / "variables" / "variables.index"
    assert index.read_text() == "variables of 10"
    sync.push(1795523999)
    assert sync().stdout.splitlines() == ["version 1795523999 is here", "version 10 is gone"]
    assert sync.versions() == ["1795523810", "1795523999"]
    assert sync().stdout == ""


def test_without_a_complete_version_nothing_is_deleted(sync):
    sync.push(1)
    assert sync().returncode == 0
    (sync.bucket / "1" / "saved_model.pb").unlink()
    result = sync()
    assert result.returncode == 1
    assert result.stderr == f"no complete version in {sync.bucket}\n"
    assert sync.versions() == ["1"]


def test_a_bucket_that_cannot_be_read_is_not_an_empty_one(sync):
    sync.push(1)
    sync()
    sync.bucket.rename(sync.bucket.with_name("elsewhere"))
    result = sync()
    assert result.returncode != 0 and "not found" in result.stderr
    assert "no complete version" not in result.stderr
    assert sync.versions() == ["1"]


def test_what_an_interrupted_copy_left_is_not_taken_along(sync):
    sync.push(1)
    leftover = sync.target / ".incoming" / "half"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("of another version")
    assert sync().returncode == 0
    assert sync.versions() == ["1"]
    assert not (sync.target / "1" / "half").exists()


def test_it_goes_on_watching_until_sigterm(sync):
    watching = subprocess.Popen(
        ["/bin/sh", str(SCRIPT), "watch"],
        env=sync.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        time.sleep(0.5)
        assert watching.poll() is None  # an empty bucket is no reason to give up
        sync.push(1)
        _until(lambda: sync.target.exists() and sync.versions() == ["1"])
        sync.push(2)
        _until(lambda: sync.versions() == ["1", "2"])
        begin = time.monotonic()
        watching.send_signal(signal.SIGTERM)
        _, errors = watching.communicate(timeout=10)
        assert watching.returncode == 0
        assert time.monotonic() - begin < 5
        assert "next try in 1 s" in errors
    finally:
        watching.kill()


def _until(condition) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.parametrize("command", ["", "sometimes"])
def test_wrong_usage(sync, command):
    result = sync(command)
    assert result.returncode == 2 and "usage: " in result.stderr


def test_a_missing_setting_is_named(sync):
    del sync.environment["KEEP"]
    result = sync()
    assert result.returncode != 0 and "KEEP" in result.stderr
