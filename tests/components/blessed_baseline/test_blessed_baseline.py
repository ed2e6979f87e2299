"""The baseline without a resolver: found, not found, and remembered by the evaluator."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
from tfx.components.evaluator import executor as tfx_evaluator
from tfx.types import standard_artifacts

from components.blessed_baseline.component import Executor
from components.blessed_baseline.record import last_blessed, remember, take_baseline
from components.retrieval_evaluator.component import Executor as EvaluatorExecutor


@pytest.fixture
def record(tmp_path: pathlib.Path) -> str:
    return str(tmp_path / "blessed" / "flowers.json")


def _artifact(kind: type, uri: pathlib.Path | str) -> Any:
    artifact = kind()
    artifact.uri = str(uri)
    return artifact


def _baseline(record: str, uri: pathlib.Path) -> Any:
    model = _artifact(standard_artifacts.Model, uri)
    Executor().Do({}, {"model": [model]}, {"record": record})
    return model


def test_nothing_was_blessed_yet(record: str, tmp_path: pathlib.Path):
    model = _baseline(record, tmp_path / "own")
    inputs = {"baseline_model": [model]}
    assert take_baseline(inputs, "baseline_model") == record
    assert inputs == {}


def test_the_last_one_is_found(record: str, tmp_path: pathlib.Path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        remember(record, str(tmp_path / name))
    model = _baseline(record, tmp_path / "own")
    inputs = {"baseline_model": [model]}
    assert take_baseline(inputs, "baseline_model") == record
    assert inputs["baseline_model"][0].uri == str(tmp_path / "second")


def test_a_model_that_is_gone_is_no_baseline(record: str, tmp_path: pathlib.Path):
    remember(record, str(tmp_path / "deleted"))
    assert last_blessed(record) is None


def test_a_record_that_was_spoilt_is_named(record: str):
    pathlib.Path(record).parent.mkdir()
    pathlib.Path(record).write_text("{}", "utf-8")
    with pytest.raises(ValueError, match=r"flowers\.json does not say which model"):
        last_blessed(record)


def test_a_resolvers_baseline_is_left_as_it_is(tmp_path: pathlib.Path):
    inputs = {"baseline_model": [_artifact(standard_artifacts.Model, tmp_path)]}
    assert take_baseline(inputs, "baseline_model") is None
    assert len(inputs["baseline_model"]) == 1
    assert take_baseline({}, "baseline_model") is None


@pytest.mark.parametrize("blessed", [True, False])
def test_the_evaluator_remembers_what_it_blessed(
    record: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, blessed: bool
):
    seen = {}

    def evaluate(self: Any, inputs: Any, outputs: Any, properties: Any) -> None:
        seen.update(inputs)
        outputs["blessing"][0].set_int_custom_property("blessed", int(blessed))

    monkeypatch.setattr(tfx_evaluator.Executor, "Do", evaluate)
    (tmp_path / "model").mkdir()
    EvaluatorExecutor().Do(
        {
            "model": [_artifact(standard_artifacts.Model, tmp_path / "model")],
            "baseline_model": [_baseline(record, tmp_path / "own")],
        },
        {"blessing": [standard_artifacts.ModelBlessing()]},
        {},
    )
    assert "baseline_model" not in seen
    assert last_blessed(record) == (str(tmp_path / "model") if blessed else None)
    if blessed:
        assert json.loads(pathlib.Path(record).read_text("utf-8"))
