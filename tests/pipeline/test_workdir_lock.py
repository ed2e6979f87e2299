"""Two processes in one workdir: the second is told of the first, and let in once that is gone."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pipeline.workdir_lock import WorkdirBusyError, locked

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOLD = """
import pathlib, sys
from pipeline.workdir_lock import locked

with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: pathlib.Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which works in `tmp_path`."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize("command", ["run", "prepare"])
def test_a_second_command_is_told_of_the_process_that_works_there(
    command: str, holder: subprocess.Popen[str], tmp_path: pathlib.Path
) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", command, "--workdir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(
        f"flowersim: {tmp_path} is in use by process {holder.pid}, since 20"
    ) and line.endswith("--workdir")
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_killed_process_holds_nothing(
    holder: subprocess.Popen[str], tmp_path: pathlib.Path
) -> None:
    with pytest.raises(WorkdirBusyError), locked(tmp_path):
        pass
    holder.kill()
    holder.wait()
    with locked(tmp_path):
        pass
