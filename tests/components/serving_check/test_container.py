"""The executor as a container runs it: by TFX's entry point, with the code on the PYTHONPATH."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import components
from components.serving_check.config import ServingCheckConfig

ROOT = pathlib.Path(components.__file__).resolve().parents[1]


def _artifact(name: str, uri: pathlib.Path, **metadata: str) -> dict[str, object]:
    kind = {"instanceSchema": f"title: tfx.{name}\ntype: object\n"}
    one = {"name": "", "uri": str(uri), "type": kind, "metadata": metadata}
    return {"artifacts": [one]}


def test_a_model_is_blessed_by_the_container_command(
    good_model: pathlib.Path,
    examples_folder: pathlib.Path,
    config: ServingCheckConfig,
    tmp_path: pathlib.Path,
) -> None:
    pytest.importorskip("kfp", reason="TFX has the entry point with its extra kfp only")
    shutil.copytree(good_model, tmp_path / "model" / "Format-Serving")
    invocation = {
        "inputs": {
            "artifacts": {
                "examples": _artifact("Examples", examples_folder, split_names='["train", "test"]'),
                "model": _artifact("Model", tmp_path / "model"),
            },
            "parameterValues": {"config": json.dumps(dataclasses.asdict(config)), "code_hash": "0"},
        },
        "outputs": {
            "artifacts": {"blessing": _artifact("InfraBlessing", tmp_path / "blessing")},
            "outputFile": str(tmp_path / "task" / "executor_output.json"),
        },
    }
    parameter = {"parameterType": "STRING"}
    subprocess.run(
        [
            *(sys.executable, "-m"),
            "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",
            *("--executor_class_path", "components.serving_check.executor.Executor"),
            *("--json_serialized_invocation_args", json.dumps(invocation)),
            "--json_serialized_inputs_spec_args",
            json.dumps({"parameters": {"config": parameter, "code_hash": parameter}}),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        check=True,
    )
    output = json.loads((tmp_path / "task" / "executor_output.json").read_text("utf-8"))
    (blessing,) = output["artifacts"]["blessing"]["artifacts"]
    assert (blessing["metadata"]["blessed"], blessing["metadata"]["has_model"]) == (1, 1)
    report = json.loads((tmp_path / "blessing" / "serving_check.json").read_text("utf-8"))
    assert report["ok"] and report["latency"]["requests"] == config.requests
    assert list((tmp_path / "blessing").rglob("saved_model.pb"))
