"""Drift of what a served model is asked about: found in shifted photos, not in others like its own.

Whole: a pushed model, a server that logs, clients that ask, the monitor, and the run that follows.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import pytest

from benchmarks.drift_monitor import CHANGES, changed, drawn, kinds, logged, monitored
from pipeline.cli import main
from pipeline.local_runner import run
from pipeline.metadata_store import connection_config, open_store
from pipeline.settings_loader import load_settings

pytestmark = pytest.mark.e2e

CLASSES, SIZE = 4, 48
SMALL = (
    f"data.synthetic.classes={CLASSES}",
    "data.synthetic.train_per_class=8",
    "data.synthetic.test_per_class=15",
    "gallery.match_precision=0.5",
    "serving_check.enabled=false",
    "evaluation.near_duplicates=ignore",
    "monitoring.min_photos=40",
)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory, tiny: tuple[str, ...]) -> pathlib.Path:
    """A folder of drawn photos that more can be put into, and a model of them that is pushed."""
    workdir = tmp_path_factory.mktemp("monitor")
    for split, count, seed in (("train", 8, 1), ("validation", 6, 2), ("test", 15, 3)):
        _add_photos(workdir / "PHOTOS" / split, range(CLASSES), count, seed)
    settings = [*tiny, *SMALL, f"data.folder={workdir / 'PHOTOS'}"]
    summary = run(load_settings("demo", settings), workdir, preset="demo").summary
    assert summary["pushed_model"]
    return workdir


def _add_photos(folder: pathlib.Path, species: Sequence[int], count: int, seed: int) -> None:
    for label in species:
        place = folder / f"species {label}"
        place.mkdir(parents=True, exist_ok=True)
        for number, photo in enumerate(drawn([label], count, SIZE, seed=seed)):
            (place / f"{seed}-{number}.jpg").write_bytes(photo)


def _versions(workdir: pathlib.Path) -> list[str]:
    return sorted(path.name for path in (workdir / "serving/flowers").glob("[0-9]*"))


def _ask(workdir: pathlib.Path, prefix: pathlib.Path, photos: Sequence[bytes]) -> pathlib.Path:
    with logged(workdir / "serving" / "flowers", prefix) as client:
        for photo in photos:
            client.similar(photo)
    return prefix


@pytest.fixture(scope="module")
def same(workdir: pathlib.Path) -> pathlib.Path:
    """The log of photos like those of the dataset."""
    return _ask(workdir, workdir / "logs" / "same", drawn(range(CLASSES), 60, SIZE))


@pytest.fixture(scope="module")
def shifted(workdir: pathlib.Path) -> pathlib.Path:
    """The log of the same photos, changed."""
    photos = changed(drawn(range(CLASSES), 60, SIZE), CHANGES["noisy (σ 40)"])
    return _ask(workdir, workdir / "logs" / "shifted", photos)


def test_photos_of_the_same_kind_are_quiet(
    workdir: pathlib.Path, same: pathlib.Path, tmp_path: pathlib.Path
):
    metrics = tmp_path / "drift.prom"
    report = monitored(workdir, same, "--prometheus", str(metrics), "--retrain")
    assert (report["status"], report["drifted"], report["decided"]) == (0, False, True)
    assert (report["examined"], report["comparison"]["reference"]) == (60, 60)
    (version,) = _versions(workdir)
    assert report["requests"]["models"] == {f"flowers/{version}": 60}
    assert 'flowersim_drifted{model_name="flowers"} 0' in metrics.read_text("utf-8")


def test_what_the_log_says_is_what_the_monitor_finds(workdir: pathlib.Path, same: pathlib.Path):
    report = monitored(workdir, same)
    # An exact search, of the version that is still served.
    told = report["requests"]["without_match"] / report["requests"]["photos"]
    assert report["comparison"]["out_of_gallery"] == pytest.approx(told)


def test_shifted_photos_are_found_whatever_the_end_of_the_log(
    workdir: pathlib.Path, shifted: pathlib.Path
):
    report = monitored(workdir, shifted)
    assert report["status"] == 3 and report["drifted"] and report["reasons"]
    (log,) = shifted.parent.glob(f"{shifted.name}-*.tfrecord")
    cut = log.with_name("cut-1.tfrecord")
    shutil.copy(log, cut)
    os.truncate(cut, cut.stat().st_size - 100)
    report = monitored(workdir, cut.with_name("cut"))
    assert report["status"] == 3 and report["examined"] == 59
    assert report["requests"]["cut_files"] == [str(cut)]


def test_the_report_has_a_lineage(workdir: pathlib.Path, shifted: pathlib.Path):
    monitored(workdir, shifted)
    store = open_store(connection_config(workdir, None))
    found = store.get_artifacts_by_type("components.DriftReport")[-1]
    assert json.loads(pathlib.Path(found.uri, "drift.json").read_text("utf-8"))["drifted"]
    assert found.custom_properties["drifted"].int_value == 1
    (event,) = [e for e in store.get_events_by_artifact_ids([found.id]) if e.type == e.OUTPUT][:1]
    inputs = [
        e.artifact_id
        for e in store.get_events_by_execution_ids([event.execution_id])
        if e.type == e.INPUT
    ]
    types = {
        store.get_artifact_types_by_id([artifact.type_id])[0].name
        for artifact in store.get_artifacts_by_id(inputs)
    }
    assert types == {"PushedModel", "components.ImageEmbeddings"}


@pytest.mark.extended
def test_drift_starts_a_run_which_trains_if_there_are_new_photos(
    workdir: pathlib.Path, shifted: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    (first,) = _versions(workdir)
    words = ["monitor", str(shifted), "--workdir", str(workdir), "--set", "monitoring.retrain=true"]
    assert main(words) == 3
    assert "nothing could be learnt anew" in capsys.readouterr().out
    summary = json.loads((workdir / "summary.json").read_text("utf-8"))
    assert summary["preset"] == "retraining" and summary["status"] == "succeeded"
    assert _versions(workdir) == [first]

    _add_photos(workdir / "PHOTOS" / "train", [CLASSES], 8, 4)
    _add_photos(workdir / "PHOTOS" / "validation", [CLASSES], 6, 5)
    _add_photos(workdir / "PHOTOS" / "test", [CLASSES], 15, 6)
    assert main(words) == 3
    assert "the new model is served as" in capsys.readouterr().out
    assert len(_versions(workdir)) == 2
    # The setting was saved with the model, so it need not be given again.
    report = monitored(workdir, shifted)
    assert report["requests"]["models"] == {f"flowers/{first}": 60}
    assert report["comparison"]["reference"] == 75


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A workdir of the demo's settings."""
    workdir = tmp_path_factory.mktemp("larger")
    settings = load_settings(
        "demo", ["serving_check.enabled=false", "gallery.match_precision=0.75"]
    )
    assert run(settings, workdir, preset="demo").summary["pushed_model"]
    return workdir


@pytest.mark.extended
def test_kinds_of_photos(larger: pathlib.Path):
    reports: dict[str, dict[str, Any]] = {}
    for number, (kind, photos) in enumerate(kinds(16, 200, 128).items()):
        reports[kind] = monitored(larger, _ask(larger, larger / f"log{number}", photos))
    drifted = {kind for kind, report in reports.items() if report["drifted"]}
    quiet = {kind for kind in reports if kind.startswith("the same kind")}
    assert len(quiet) == 3 and not quiet & drifted
    assert {
        "dark (35 %)",
        "blurred (radius 2.5)",
        "under a red lamp",
        "noisy (σ 40)",
        "grey",
        "half of the known species",
        "a few known species",
        "unknown species",
    } <= drifted
    unknown = reports["unknown species"]["comparison"]
    assert unknown["best_score"] < unknown["reference_best_score"]
    assert unknown["out_of_gallery"] >= unknown["reference_out_of_gallery"]
