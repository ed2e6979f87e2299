"""Pipelines that KFP's and TFX's own compilers have compiled."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence

import pytest

from pipeline.commands.execute_command import preloaded_modules
from pipeline.spec_executor.launchers import ExactLauncher, FastLauncher
from pipeline.spec_executor.loader import load_spec
from pipeline.spec_executor.run import Run
from pipeline.spec_executor.runner import execute

# Tasks import the components by a name of their own: other packages too have folders `tests`.
HERE = pathlib.Path(__file__).resolve().parent


def compiled(program: str, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(HERE), "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-m", program, *arguments], env=environment, check=True)


def log_of(run: Run, task: str) -> str:
    log = run.tasks[task].log
    assert log is not None
    return log.read_text()


def ended_well(run: Run) -> set[str]:
    """The tasks that ran, which are no DAGs."""
    assert run.succeeded, {name: task.error for name, task in run.tasks.items() if task.error}
    tasks = run.tasks.values()
    return {t.name for t in tasks if t.state.value == "SUCCEEDED" and not t.is_dag}


def test_kfp_conditions_nested_dags_and_an_exit_handler(tmp_path: pathlib.Path):
    file = tmp_path / "kfp.yaml"
    compiled("kfp_pipeline", str(file))
    spec = load_spec(file)

    def run(*parameters: str) -> Run:
        return execute(
            spec, tmp_path / "store", pipeline_root=tmp_path / "root", parameters=parameters
        )

    branches = "exit-handler-1/condition-branches-2"
    many = run()
    assert ended_well(many) == {
        "exit-handler-1/count",
        f"{branches}/condition-3/show",
        "exit-handler-1/tell",
        "finish",
    }
    assert log_of(many, "exit-handler-1/tell") == "many of 4: 1\n"
    assert "finished SUCCEEDED exit-handler-1\n" in log_of(many, "finish")
    (data,) = many.tasks["exit-handler-1/count"].outputs["lines"]
    assert data.metadata["words"] == 2 and data.type.title == "system.Dataset"
    few = run("words=[x]")
    assert f"{branches}/condition-4/show-2" in ended_well(few)
    assert log_of(few, "exit-handler-1/tell") == "few: 0\n"
    again = run("words=[x]")
    assert {name for name, task in again.tasks.items() if task.cached} == {
        "exit-handler-1/count",
        f"{branches}/condition-4/show-2",
        "exit-handler-1/tell",
    }


@pytest.mark.extended
def test_tfx_components_in_both_modes(tmp_path: pathlib.Path):
    file = tmp_path / "tfx.json"
    compiled("tfx_pipeline", str(file), str(tmp_path / "root"))
    spec = load_spec(file)

    def run(mode: str, parameters: Sequence[str], store: str) -> Run:
        fast = mode == "fast"
        return execute(
            spec,
            tmp_path / store,
            parameters=parameters,
            launcher=FastLauncher() if fast else ExactLauncher(),
            preload=preloaded_modules(spec) if fast else (),
            python_path=[str(HERE)],
        )

    published = {"tfx-dag/Write", "tfx-dag/Judge", "tfx-dag/Publish", "Finish"}
    fast = run("fast", ["words=a b c", "least=2"], "store")
    exact = run("exact", ["words=a b c", "least=2"], "exact")
    for result in (fast, exact):
        assert ended_well(result) == published
        assert result.tasks["tfx-dag/Write"].parameters == {"count": 3}
        # TFX does not know that what it declares as text is a whole number.
        assert "judged 3.0 2\n" in log_of(result, "tfx-dag/Judge")
        assert "published a b c\n" in log_of(result, "tfx-dag/Publish")
        (status,) = (
            line for line in log_of(result, "Finish").splitlines() if line.startswith("finished ")
        )
        assert json.loads(status.removeprefix("finished "))["state"] == "SUCCEEDED"
    refused = run("fast", ["words=a b c", "least=4"], "store")
    assert ended_well(refused) == published - {"tfx-dag/Publish"}
    assert refused.tasks["tfx-dag/Publish"].state.value == "SKIPPED"
    assert refused.tasks["tfx-dag/Write"].cached and not refused.tasks["tfx-dag/Judge"].cached
