"""`flowersim tensorboard` from the command line to the end by Ctrl-C."""

from __future__ import annotations

import pathlib
import socket
import urllib.request

import pytest

from pipeline import cli
from tests.pipeline.tensorboard.conftest import Workdir

FIRST, SECOND, THIRD = "20260101-100000", "20260102-100000", "20260103-100000"


def _call(root: pathlib.Path, *words: str) -> int:
    return cli.main(["tensorboard", "--workdir", str(root), *words])


def test_it_prepares_and_says_what(
    two_trainings: Workdir, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(two_trainings.root, "--no-serve") == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(two_trainings.root / "tensorboard")
    assert printed.err.splitlines() == [
        f"{FIRST}  prepared  also of {SECOND}",
        f"{THIRD}  prepared",
    ]
    assert _call(two_trainings.root, "--no-serve", "--run", THIRD) == 0
    assert capsys.readouterr().err.splitlines() == [f"{THIRD}  as it was"]


@pytest.mark.parametrize("words", [(), ("--run", THIRD)])
def test_it_serves_until_ctrl_c(
    two_trainings: Workdir,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    answers = []

    def interrupted() -> None:
        url = capsys.readouterr().out.split()[3].rstrip(";")
        with urllib.request.urlopen(f"{url}data/environment", timeout=60) as answer:
            answers.append((answer.status, answer.read()))
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.commands.tensorboard_command._wait", interrupted)
    assert _call(two_trainings.root, "--port", "0", *words) == 0
    assert answers[0][0] == 200 and b"data_location" in answers[0][1]


def test_a_taken_port_is_explained(
    two_trainings: Workdir, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
        assert _call(two_trainings.root, "--port", str(port)) == 1
    assert f"port {port} is taken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--host", "192.0.2.1", "--port", "0"), "cannot listen at 192.0.2.1:0"),
        (("--run", "2027"), "there is no run '2027'"),
        (("--run", "2026"), "several runs"),
    ],
)
def test_what_cannot_be_shown_is_explained(
    two_trainings: Workdir, capsys: pytest.CaptureFixture[str], words, said: str
) -> None:
    assert _call(two_trainings.root, *words) == 1
    assert said in capsys.readouterr().err


def test_a_run_of_another_workdir_is_refused(
    two_trainings: Workdir, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert _call(other, "--run", f"{two_trainings.root}@{FIRST}") == 1
    assert "is not of the workdir" in capsys.readouterr().err


def test_a_workdir_without_a_run_is_explained(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(tmp_path / "nowhere") == 1
    assert "no run in" in capsys.readouterr().err
