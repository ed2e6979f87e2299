"""The snippet of `docs/execute.md`, on a pipeline of somebody else's."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

from tests.documented import blocks
from tests.pipeline.spec_executor.specs import In, Spec


def test_a_pipeline_is_executed_from_python(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    pytest.importorskip("tfx", reason="the snippet preloads it")
    (code,) = blocks("execute.md", "python")
    spec = Spec(parameters={"epochs": "NUMBER_INTEGER"})
    epochs = "{{$.inputs.parameters['epochs']}}"
    spec.shell("train", 'echo "$1 epochs"', epochs, parameters={"epochs": "NUMBER_INTEGER"})
    spec.task("train", parameters={"epochs": In("epochs")})
    (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(spec.document))
    (tmp_path / "my_components.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    names: dict[str, Any] = {}
    exec(compile(code, "snippet", "exec"), names)
    task = names["run"].tasks["train"]
    assert task.log.read_text() == "2 epochs\n"
    assert capsys.readouterr().out == f"train {task.state} {task.seconds} False {{}}\n"
    assert (tmp_path / "artifacts").is_dir() and (tmp_path / "store").is_dir()
