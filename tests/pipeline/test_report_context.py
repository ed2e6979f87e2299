"""What a report says of a run besides its findings."""

from __future__ import annotations

import json
import os
import platform

from pipeline.lineage import Output, Run
from pipeline.report_context import changed_settings, environment, report_context
from pipeline.settings_loader import load_settings

SUMMARY = {
    "name": "20260102-030405",
    "started": "2026-01-02T03:04:05+00:00",
    "status": "succeeded",
    "error": None,
    "preset": "demo",
    "run_id": "2026-01-02T03:04:06.0",
    "duration_seconds": 12.5,
    "dataset": "/data/synthetic_flowers/small/1.0.0",
    "components": [{"id": "Trainer", "seconds": 3.0, "cached": False}],
    "pushed_model": "/serving/flowers/17",
    "held_back": None,
}


def test_only_settings_that_differ_are_told_unless_all_are_asked_for() -> None:
    settings = load_settings("demo", ["training.epochs=9", "run.cache=false"])
    changed = {item["key"]: item for item in changed_settings(settings)}
    assert changed["training.epochs"]["value"] == 9 and changed["training.epochs"]["changed"]
    assert changed["training.epochs"]["default"] != 9 and changed["training.epochs"]["description"]
    assert "run.cache" in changed and "gallery.probes" not in changed
    without = {item["key"] for item in changed_settings(settings, without=["run"])}
    assert without == {*changed} - {"run.cache"}
    every = changed_settings(settings, all_too=True)
    assert {item["key"] for item in every if item["changed"]} == {*changed}
    assert len(every) > 100


def test_the_run_its_data_and_its_artifacts() -> None:
    settings = load_settings(
        "demo", ["report.card.owner=The herbarium", "serving.model_name=plants"]
    )
    examples = Output("/artifacts/examples/3", {"input_fingerprint": "abc"}, 3, "Examples", 17.5)
    run = Run("2026-01-02T03:04:06.0", {("TfdsExampleGen", "examples"): examples})
    context = report_context(
        settings, SUMMARY, run=run, code={"Trainer": "0123456789abcdef"}, workdir="/work"
    )
    assert context["title"] == "plants"
    assert context["card"]["owner"] == "The herbarium"
    assert context["run"]["id"] == "2026-01-02T03:04:06.0"
    assert context["run"]["name"] == "20260102-030405"
    assert context["pushed_model"] == "/serving/flowers/17"
    assert context["components"] == SUMMARY["components"]
    assert context["data"] == {
        "dataset": "synthetic_flowers",
        "source": None,
        "folder": "/data/synthetic_flowers/small/1.0.0",
        "version": "1.0.0",
        "fingerprint": "ba7816bf8f01cfea",  # SHA-256 of "abc", FIPS 180-2, appendix B.1
    }
    (artifact,) = context["artifacts"]
    assert (artifact["component"], artifact["id"], artifact["type"]) == (
        "TfdsExampleGen",
        3,
        "Examples",
    )
    json.dumps(context, allow_nan=False)


def test_a_run_of_which_little_is_known() -> None:
    context = report_context(load_settings("demo"), {"status": "failed", "error": "no disk"})
    assert context["run"]["error"] == "no disk" and context["run"]["name"] is None
    assert context["artifacts"] == [] and context["code"] == {}
    assert context["data"]["version"] is None and context["environment"] is None


def test_own_photos_are_no_dataset() -> None:
    context = report_context(load_settings("demo", ["data.folder=PHOTOS"]), SUMMARY)
    assert context["data"]["dataset"] == "own photos" and context["data"]["source"] == "PHOTOS"


def test_the_environment_is_this_one() -> None:
    import tensorflow as tf

    found = environment()
    assert found["python"] == platform.python_version()
    assert found["packages"]["tensorflow"] == tf.__version__
    assert 1 <= found["cores"] <= (os.cpu_count() or 1) and found["memory_gb"] > 0.1
    assert found["cpu"] and len(found["gpus"]) == len(tf.config.list_physical_devices("GPU"))
