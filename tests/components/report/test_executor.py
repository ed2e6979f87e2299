"""The component's work on the artifacts of a small run, as TFX calls it."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
from tfx.types import standard_artifacts

from components.image_embedder.artifact import ImageEmbeddings
from components.leak_check.artifact import NearDuplicates
from components.report.artifact import RunReport
from components.report.executor import Executor
from components.report.files import CARD, PAGE
from components.report.findings import store
from tests.components.report.small_run import SmallRun, small_run

CONTEXT = {"title": "plants", "card": {"owner": "The herbarium"}, "settings": []}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    return small_run(tmp_path_factory.mktemp("small"))


def _artifact(kind: Any, uri: str | None, **properties: Any) -> list[Any]:
    artifact = kind()
    artifact.uri = uri or ""
    for name, value in properties.items():
        if isinstance(value, float):
            artifact.set_float_custom_property(name, value)
        else:
            artifact.set_int_custom_property(name, value)
    return [artifact]


def _inputs(run: SmallRun, **servable: Any) -> dict[str, list[Any]]:
    sources = run.sources
    return {
        "examples": _artifact(standard_artifacts.Examples, sources.examples),
        "embeddings": _artifact(ImageEmbeddings, sources.embeddings),
        "model_run": _artifact(standard_artifacts.ModelRun, sources.model_run),
        "evaluation": _artifact(
            standard_artifacts.ModelEvaluation, sources.evaluations["validation"]
        ),
        "evaluation_blessing": _artifact(standard_artifacts.ModelBlessing, "/none", blessed=1),
        "test_evaluation": _artifact(
            standard_artifacts.ModelEvaluation, sources.evaluations["test"]
        ),
        "servable": _artifact(standard_artifacts.Model, "/none", **servable),
        "near_duplicates": _artifact(NearDuplicates, sources.near_duplicates),
        "serving_check": _artifact(standard_artifacts.InfraBlessing, sources.serving_check),
    }


def _do(run: SmallRun, inputs: dict[str, list[Any]], folder: pathlib.Path) -> Any:
    outputs = {"report": _artifact(RunReport, str(folder))}
    properties = {"config": run.config.dumps(), "context": json.dumps(CONTEXT)}
    Executor().Do(inputs, outputs, properties)
    return outputs["report"][0]


def test_page_card_and_findings(run: SmallRun, tmp_path: pathlib.Path) -> None:
    inputs = _inputs(run, match_threshold=0.6, gallery_size=60)
    report = _do(run, inputs, tmp_path / "report")
    assert report.get_string_custom_property("page") == str(tmp_path / "report" / PAGE)
    assert not list((tmp_path / "report").glob("*.partial"))
    content = store.read(report.uri).content
    assert content["blessed"] is True and content["subject"] == "test"
    assert [split["images"] for split in content["splits"]] == [36, 24, 30]
    assert content["scores"]["threshold"] == 0.6
    assert {*content["evaluations"]} == {"validation", "test"}
    assert content["serving_check"]["ok"] and content["training"]["best_epoch"] == 3
    page = (tmp_path / "report" / PAGE).read_text("utf-8")
    assert page.startswith("<!doctype html>") and "plants" in page and "The herbarium" in page
    assert str(run.sources.embeddings) in page  # among the artifacts it was made of
    card = json.loads((tmp_path / "report" / CARD).read_text("utf-8"))
    assert card["model_details"]["owner"] == "The herbarium" and card["metrics"]["blessed"] is True


def test_without_what_may_be_missing(run: SmallRun, tmp_path: pathlib.Path) -> None:
    inputs = _inputs(run)
    del inputs["near_duplicates"], inputs["serving_check"]
    content = store.read(_do(run, inputs, tmp_path / "report").uri).content
    assert content["serving_check"] is None and content["data"]["near_duplicates"] is None
    # TFX reads a property that is not there as 0, which would make everything a match.
    assert content["scores"]["threshold"] is None
