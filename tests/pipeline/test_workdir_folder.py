"""A workdir that cannot be written to is told at once, in one line that names the place."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from pipeline.workdir_folder import WorkdirError, writable_workdir
from tests.small_disk import remount, small_disk

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_a_new_folder_is_made_and_left_empty(tmp_path: pathlib.Path) -> None:
    root = writable_workdir(tmp_path / "runs" / "new")
    assert root == tmp_path / "runs" / "new"
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("command", ["run", "prepare"])
def test_a_read_only_disk_is_named_before_tensorflow_is_loaded(
    command: str, tmp_path: pathlib.Path
) -> None:
    code = (
        "import sys\n"
        "from pipeline.cli import main\n"
        "status = main(sys.argv[1:])\n"
        "heavy = [name for name in ('tensorflow', 'tfx', 'ml_metadata') if name in sys.modules]\n"
        "print(status, heavy)"
    )
    with small_disk(tmp_path / "disk", "1m", "ro") as disk:
        for workdir in (disk, disk / "new"):
            result = subprocess.run(
                [sys.executable, "-c", code, command, "--workdir", str(workdir)],
                cwd=ROOT,
                capture_output=True,
                text=True,
            )
            assert result.stdout == "1 []\n", result.stderr
            (line,) = result.stderr.splitlines()
            assert line.startswith(f"flowersim: cannot write to {workdir}: Read-only file system; ")
            assert "--workdir" in line


def test_a_disk_that_became_read_only_below_the_workdir_is_named(tmp_path: pathlib.Path) -> None:
    with small_disk(tmp_path / "serving", "1m") as disk:
        assert writable_workdir(tmp_path) == tmp_path
        remount(disk, "ro")
        with pytest.raises(WorkdirError, match=rf"cannot write to {disk}: it is read-only; .*"):
            writable_workdir(tmp_path)


def test_a_workdir_without_the_permission_is_named(tmp_path: pathlib.Path) -> None:
    """Root may write anywhere, so this is tried by somebody else."""
    if os.geteuid() != 0:
        pytest.skip("needs root, who can become somebody else")
    (tmp_path / "theirs").mkdir()
    tmp_path.chmod(0o755)
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        try:
            writable_workdir(tmp_path / "theirs")
        except WorkdirError as error:
            os._exit(0 if f"cannot write to {tmp_path / 'theirs'}" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "File exists"),
        ("logs", "it is no folder"),
        ("pipeline_root", "it is no folder"),
        ("serving", "it is no folder"),
    ],
)
def test_a_file_in_the_place_of_a_folder_is_named(
    name: str, reason: str, tmp_path: pathlib.Path
) -> None:
    workdir = tmp_path / "workdir"
    in_the_way = workdir / name
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    in_the_way.write_text("mine")
    with pytest.raises(WorkdirError, match=f"cannot write to {in_the_way}: {reason}; "):
        writable_workdir(workdir)
    assert in_the_way.read_text() == "mine"


def test_a_folder_in_the_place_of_the_store_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "metadata.sqlite").mkdir()
    with pytest.raises(WorkdirError, match=r"metadata\.sqlite: it is a folder"):
        writable_workdir(tmp_path)
