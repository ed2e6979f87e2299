"""`flowersim runs`: what is listed of runs on disk."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from pipeline.cli import main


def leave(workdir: pathlib.Path, name: str, **summary: Any) -> None:
    """Writes what a run leaves, as far as a list of runs needs it."""
    folder = workdir / "runs" / name
    folder.mkdir(parents=True)
    content = {"name": name, "status": "succeeded", "preset": "demo", **summary}
    (folder / "summary.json").write_text(json.dumps(content), "utf-8")


def measured(validation: float, test: float) -> dict[str, Any]:
    """Metrics of a run."""
    return {
        "validation": {"recall_at_1": validation, "map_at_r": validation / 2},
        "test": {"recall_at_1": test, "map_at_r": test / 2},
    }


@pytest.fixture
def workdir(tmp_path: pathlib.Path) -> pathlib.Path:
    """Three runs: one that pushed, one that was refused, one that failed."""
    pushed = tmp_path / "serving" / "flowers" / "17"
    pushed.mkdir(parents=True)
    leave(
        tmp_path,
        "20260102-030405",
        metrics=measured(0.75, 0.7),
        blessed=True,
        pushed_model=str(pushed),
        duration_seconds=251.4,
        report="report.html",
    )
    leave(
        tmp_path,
        "20260103-030405",
        metrics=measured(0.5, 0.4),
        blessed=False,
        pushed_model=None,
        duration_seconds=3725.0,
    )
    leave(
        tmp_path,
        "20260104-030405",
        status="failed",
        error="Trainer failed: no memory",
        metrics={},
        blessed=None,
        pushed_model=None,
        duration_seconds=9.0,
    )
    return tmp_path


def _words(lines: list[str], name: str) -> list[str]:
    (line,) = (line for line in lines if line.startswith(name))
    return line.split()


def test_the_latest_run_comes_first_and_fits_80_columns(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["runs", str(workdir)]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[0] for line in lines if line.startswith("2026")]
    assert names == ["20260104-030405", "20260103-030405", "20260102-030405"]
    assert max(map(len, lines[1:])) <= 80
    row = "succeeded 0.750 / 0.700 0.375 / 0.350 17 4:11"
    assert " ".join(_words(lines, "20260102")[1:]) == row
    refused = " ".join(_words(lines, "20260103"))
    assert "not blessed" in refused and refused.endswith("1:02:05")
    place = next(i for i, line in enumerate(lines) if line.startswith("20260104"))
    assert " ".join(lines[place].split()[1:]) == "failed: – / – – / – – 0:09"
    assert lines[place + 1].split() == ["Trainer"]


def test_a_version_that_was_deleted_since_is_said_to_be(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    (workdir / "serving" / "flowers" / "17").rmdir()
    assert main(["runs", str(workdir)]) == 0
    assert "17 (deleted since)" in capsys.readouterr().out


def test_as_json(workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--json", str(workdir)]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [run["status"] for run in listed] == ["failed", "succeeded", "succeeded"]
    assert listed[2]["metrics"]["test"] == {"recall_at_1": 0.7, "map_at_r": 0.35}
    assert listed[2]["pushed_model_exists"] and not listed[1]["pushed_model_exists"]
    assert listed[0]["metrics"]["test"] == {"recall_at_1": None, "map_at_r": None}


def test_without_names_every_workdir_below_runs_is_listed(
    workdir: pathlib.Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / "runs").mkdir()
    (home / "runs" / "demo").symlink_to(workdir)
    (home / "runs" / "empty").mkdir()
    monkeypatch.chdir(home)
    assert main(["runs"]) == 0
    printed = capsys.readouterr().out
    assert "runs/demo" in printed and printed.count("20260102-030405") == 1
    assert "runs/empty" not in printed


def test_where_nothing_ran_it_says_so(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["runs"]) == 0
    assert "flowersim run makes one" in capsys.readouterr().out
    assert main(["runs", "nowhere"]) == 1
    assert "there is no folder nowhere" in capsys.readouterr().err


def test_names_of_folders_are_no_markup(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(tmp_path / "a[bold]b", "20260102-030405")
    assert main(["runs", str(tmp_path / "a[bold]b")]) == 0
    assert "a[bold]b" in capsys.readouterr().out.replace("\n", "")
