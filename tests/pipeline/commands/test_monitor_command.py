"""What `flowersim monitor` prints, writes, answers with, and when it trains anew.

The monitor itself and the run are stood in for; whole ones are in `tests/e2e/test_monitor.py`.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline import index_runner, monitor_runner
from pipeline.cli import main
from pipeline.monitor_runner import outcome
from pipeline.saved_settings import save_settings
from pipeline.settings import Settings
from pipeline.settings_loader import SettingsError, load_settings

LOG = "log-20261125T123724.410177Z-1.tfrecord"


def report(*, drifted: bool, decided: bool = True) -> dict[str, Any]:
    comparison = {
        "photos": 200,
        "reference": 160,
        "out_of_gallery": 0.5,
        "reference_out_of_gallery": 0.25,
        "rise": {"value": 0.25, "low": 0.125, "high": 0.375},
        "best_score": 0.5,
        "reference_best_score": 0.75,
        "embeddings": {"distance": 0.3, "effect": 0.125, "p_value": 0.0005},
        "scores": {"drop": 0.5, "p_value": 1e-12, "distance": 0.25},
    }
    return {
        "drifted": drifted,
        "decided": decided,
        "reasons": ["a reason [in] brackets"],
        "examined": 200,
        "threshold": 0.75,
        "requests": {
            "files": 2,
            "begun": "2026-11-25T12:37:24Z",
            "written": "2026-11-25T13:00:00Z",
            "photos": 321,
            "without_match": 100,
            "skipped": {"signature embed": 7},
            "cut_files": ["/logs/x.tfrecord"],
            "models": {"flowers/5": 321},
            "undecodable": 2,
            "ids": [["a.jpg", 9]],
            "classes": [["rose", 30], ["tulip", 20]],
        },
        "comparison": comparison if decided else None,
        "config": {
            "reference_split": "test",
            "allowed_rise": 0.05,
            "smallest_effect": 0.02,
            "smallest_score_drop": 0.15,
        },
    }


@pytest.fixture
def workdir(tmp_path: pathlib.Path) -> pathlib.Path:
    """A workdir with saved settings, and a log beside them."""
    save_settings(tmp_path, load_settings("demo", ["run.pipeline_name=kept"]))
    (tmp_path / LOG).write_bytes(b"")
    return tmp_path


@pytest.fixture
def monitored(workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Gives `monitored(report, *arguments)`: exit status, what was asked, settings of trainings."""

    def run(result: dict[str, Any], *arguments: str) -> tuple[int, list[Any], list[Settings]]:
        asked: list[Any] = []
        trained: list[Settings] = []
        held = []

        @contextlib.contextmanager
        def workplace(folder: pathlib.Path, **options: Any) -> Iterator[Any]:
            held.append(folder)
            yield types.SimpleNamespace(serving=folder / "serving" / "flowers")
            held.pop()

        def monitor(place: Any, files: list[str], settings: Settings) -> dict[str, Any]:
            asked.append((files, settings))
            return result

        def retrain(settings: Settings, folder: pathlib.Path, **options: Any) -> list[str]:
            assert not held, "the run could not have the workdir"
            assert folder == workdir
            trained.append(settings)
            return ["retraining: [done]"]

        monkeypatch.setattr(index_runner, "workplace", workplace)
        monkeypatch.setattr(monitor_runner, "monitor", monitor)
        monkeypatch.setattr(monitor_runner, "retrain", retrain)
        words = ["monitor", str(workdir / "log"), "--workdir", str(workdir), *arguments]
        return main(words), asked, trained

    return run


def test_quiet(monitored: Callable[..., Any], capsys: pytest.CaptureFixture[str]):
    status, asked, trained = monitored(report(drifted=False), "--retrain")
    assert status == 0 and trained == []
    ((files, settings),) = asked
    assert [pathlib.Path(file).name for file in files] == [LOG]
    assert settings.run.pipeline_name == "kept"
    printed = capsys.readouterr().out
    assert "\nnot drifted\n  a reason [in] brackets\n" in printed


def test_drift_is_told_and_nothing_more(
    monitored: Callable[..., Any], capsys: pytest.CaptureFixture[str]
):
    status, _, trained = monitored(report(drifted=True))
    assert status == 3 and trained == []
    printed = capsys.readouterr().out
    for words in (
        "log  321 photos asked about in 2 files, begun 2026-11-25T12:37:24Z, ",
        "examined  200 different photos",
        "that the served model cannot decode: 2",
        "other records, passed over  signature embed: 7",
        "files whose last records cannot be read: 1 (/logs/x.tfrecord)",
        "classes answered most often  rose: 30, tulip: 20",
        "logged (200)",
        "test (160)",
        "50.0%",
        "+25.0 (+12.5 … +37.5)",
        "\ndrifted\n",
    ):
        assert words in printed


def test_too_few_photos(monitored: Callable[..., Any], capsys: pytest.CaptureFixture[str]):
    status, _, trained = monitored(report(drifted=False, decided=False), "--retrain")
    assert (status, trained) == (0, [])
    assert "\nunknown\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "trains"),
    [
        (["--retrain"], True),
        (["--set", "monitoring.retrain=true"], True),
        (["--set", "monitoring.retrain=false"], False),
    ],
)
def test_drift_starts_a_run_if_wanted(
    monitored: Callable[..., Any],
    arguments: list[str],
    trains: bool,
    capsys: pytest.CaptureFixture[str],
):
    status, _, trained = monitored(report(drifted=True), *arguments)
    assert status == 3 and len(trained) == trains
    assert ("retraining: [done]" in capsys.readouterr().out) == trains


def test_drift_starts_a_run_if_the_saved_settings_say_so(
    monitored: Callable[..., Any], workdir: pathlib.Path
):
    save_settings(workdir, load_settings("demo", ["monitoring.retrain=true"]))
    arguments = ["--set", "training.epochs=3"]
    status, _, (settings,) = monitored(report(drifted=True), *arguments)
    assert status == 3 and settings.training.epochs == 3
    assert settings == load_settings("demo", ["monitoring.retrain=true", "training.epochs=3"])
    assert monitored(report(drifted=False))[2] == []


def test_files(monitored: Callable[..., Any], workdir: pathlib.Path):
    result = report(drifted=True)
    monitored(
        result, "--json", str(workdir / "r.json"), "--prometheus", str(workdir / "drift.prom")
    )
    assert json.loads((workdir / "r.json").read_text("utf-8")) == result
    assert 'flowersim_drifted{model_name="flowers"} 1\n' in (workdir / "drift.prom").read_text()
    assert not list(workdir.glob("*.partial"))


def test_a_model_without_a_threshold(
    monitored: Callable[..., Any], capsys: pytest.CaptureFixture[str]
):
    monitored({**report(drifted=False), "threshold": None})
    assert "the model calls nothing a match" in capsys.readouterr().out
    monitored(report(drifted=False))
    assert "calls nothing" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nowhere"], 1, "nowhere: no file"),
        (["{log}", "--prometheus", "drift.txt"], 1, "names end in .prom"),
        (["{log}", "--set", "monitoring.significance=0.5"], 2, "monitoring.significance=0.5"),
        (["{log}", "--set", "monitoring.min_photos=6000"], 2, "min_photos must not be above"),
    ],
)
def test_errors_come_before_any_work(
    workdir: pathlib.Path,
    arguments: list[str],
    status: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
):
    words = [word.format(log=workdir / "log") for word in arguments]
    assert main(["monitor", *words, "--workdir", str(workdir)]) == status
    assert message in capsys.readouterr().err


def test_a_workdir_without_a_model(workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    assert main(["monitor", str(workdir / "log"), "--workdir", str(workdir)]) == 1
    assert "exactly one is needed" in capsys.readouterr().err
    (workdir / "settings.yaml").unlink()
    assert main(["monitor", str(workdir / "log"), "--workdir", str(workdir)]) == 2


def test_what_a_retraining_came_to():
    def summary(*, cached: bool, pushed: str | None) -> dict[str, Any]:
        steps = [{"id": "Trainer", "seconds": 1.0, "cached": cached}]
        return {"components": steps, "pushed_model": pushed}

    assert "nothing could be learnt anew" in outcome(summary(cached=True, pushed="/v/1"))[0]
    assert outcome(summary(cached=False, pushed="/v/2")) == [
        "retraining: the new model is served as /v/2"
    ]
    assert "not pushed" in outcome(summary(cached=False, pushed=None))[0]


def test_settings_have_no_unused_limits():
    with pytest.raises(SettingsError, match="monitoring.reference_split"):
        load_settings("demo", ["monitoring.reference_split=train"])
