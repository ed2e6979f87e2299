"""What a run leaves in its folder, whatever becomes of the report."""

from __future__ import annotations

import io
import json
import pathlib
from typing import Any

import pytest
from rich.console import Console

from pipeline import run_report
from pipeline.run_folder import RunFolder
from pipeline.run_records import find_run, records, settings_of
from pipeline.settings_loader import load_settings


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Summaries of the runs whose report was asked for; what draws it has tests of its own."""
    asked: list[dict[str, Any]] = []

    def write_report(settings, summary, folder, **options) -> pathlib.Path:
        asked.append(dict(summary))
        (folder / "report.html").write_text("page")
        return folder / "report.html"

    monkeypatch.setattr(run_report, "write_report", write_report)
    return asked


def _close(folder: RunFolder, screen: io.StringIO, *overrides: str, **summary: Any) -> pathlib.Path:
    content = {"name": folder.name, "status": "succeeded", **summary}
    return folder.close(load_settings("demo", overrides), content, None, Console(file=screen))


def test_the_folder_is_named_by_the_time_and_never_twice(tmp_path, screen, reports) -> None:
    first = RunFolder.begin(tmp_path)
    assert first.name == first.started.strftime("%Y%m%d-%H%M%S")
    assert not first.path.exists()
    _close(first, screen)
    for number in range(3):
        again = RunFolder.begin(tmp_path)
        _close(again, screen, preset=str(number))
    names = [record.name for record in records(tmp_path)]
    assert len(names) == len({*names}) == 4
    assert find_run(str(tmp_path)).summary["preset"] == "2"


def test_summary_settings_and_report(tmp_path, screen, reports) -> None:
    folder = RunFolder.begin(tmp_path)
    path = _close(folder, screen, "training.epochs=9")
    assert path == tmp_path / "summary.json"
    latest, own = (json.loads(p.read_text("utf-8")) for p in (path, folder.path / "summary.json"))
    assert latest == own
    assert latest["report"] == str(folder.path / "report.html")
    record = find_run(str(tmp_path))
    assert record.folder == folder.path and settings_of(record).training.epochs == 9


@pytest.mark.parametrize(
    ("overrides", "status"), [(["report.enabled=false"], "succeeded"), ([], "interrupted")]
)
def test_without_a_report(tmp_path, screen, reports, overrides, status) -> None:
    path = _close(RunFolder.begin(tmp_path), screen, *overrides, status=status)
    assert json.loads(path.read_text("utf-8"))["report"] is None
    assert reports == []


def test_a_failed_run_has_a_report(tmp_path, screen, reports) -> None:
    _close(RunFolder.begin(tmp_path), screen, status="failed", error="Trainer failed: no memory")
    assert [summary["error"] for summary in reports] == ["Trainer failed: no memory"]


def test_a_report_that_cannot_be_made_takes_nothing_with_it(
    tmp_path, screen, monkeypatch, caplog
) -> None:
    def write_report(*arguments: Any, **options: Any) -> pathlib.Path:
        raise ValueError("no [bold]ink[/bold]")

    monkeypatch.setattr(run_report, "write_report", write_report)
    folder = RunFolder.begin(tmp_path)
    path = _close(folder, screen)
    assert json.loads(path.read_text("utf-8"))["status"] == "succeeded"
    assert json.loads((folder.path / "summary.json").read_text("utf-8"))["report"] is None
    printed = " ".join(screen.getvalue().split())
    assert "ValueError: no [bold]ink[/bold]" in printed and "flowersim report" in printed
    assert "no [bold]ink" in caplog.text
