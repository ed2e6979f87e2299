"""Compiled for each platform and executed by its own commands: the same as a local run."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline.cli import main

pytest.importorskip("kfp", reason="TFX has a compiler for Kubeflow on Python below 3.12 only")

pytestmark = pytest.mark.e2e

# The two halves of the resolver that Vertex AI has in the place of a component.
RESOLVERS = {"Baseline-model-blessing-resolver", "Baseline-model-resolver"}
# What a baseline that was not there the first time makes run again.
WITH_BASELINE = {"Evaluator", "Pusher", "Report"}


@dataclasses.dataclass
class Cluster:
    """A pipeline that was compiled for a root of its own, to be executed again and again."""

    root: pathlib.Path
    spec: pathlib.Path

    def execute(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """Executes it; returns the tasks by name, and the summary under `summary`."""
        store = self.root / "store"
        known = set(store.glob("runs/*"))
        given = ["execute", str(self.spec), "--store", str(store), *arguments]
        assert main(given) == status
        (folder,) = set(store.glob("runs/*")) - known
        result = json.loads((folder / "result.json").read_text("utf-8"))
        tasks = {task["name"].rsplit("/", 1)[-1]: task for task in result["tasks"]}
        return {**tasks, "summary": json.loads((folder / "summary.json").read_text("utf-8"))}

    @property
    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.root / "serving" / "flowers").iterdir())

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        paths = sorted((self.root / "outcomes").iterdir())
        return [json.loads(path.read_text("utf-8")) for path in paths]


def _compiled(root: pathlib.Path, platform: str, tiny: Sequence[str]) -> Cluster:
    settings = [
        f"--set={setting}"
        for setting in (
            *tiny,
            f"deployment.platform={platform}",
            f"deployment.pipeline_root={root}",
            "deployment.image=flowersim",
        )
    ]
    spec = root / "pipeline.yaml"
    workdir = f"--workdir={root / 'workdir'}"
    assert main(["prepare", "--stage", workdir, *settings]) == 0
    assert main(["compile", workdir, f"--output={spec}", *settings]) == 0
    return Cluster(root, spec)


@pytest.fixture(scope="module")
def vertex(tmp_path_factory: pytest.TempPathFactory, tiny: tuple[str, ...]) -> Cluster:
    return _compiled(tmp_path_factory.mktemp("vertex"), "vertex", tiny)


@pytest.fixture(scope="module")
def vertex_runs(vertex: Cluster) -> list[dict[str, Any]]:
    """Two executions: the second with a cache and a baseline."""
    return [vertex.execute("--mode", "fast") for _ in range(2)]


def _repeated(tasks: dict[str, Any]) -> set[str]:
    return {
        name
        for name, task in tasks.items()
        if name not in ("summary", "tfx-dag") and not task["cached"]
    }


def _answers(version: str) -> dict[str, np.ndarray]:
    """What a pushed model says to a picture."""
    model = tf.saved_model.load(version)
    pixels = tf.cast(tf.random.stateless_uniform([48, 60, 3], [1, 2], 0, 256, tf.int32), tf.uint8)
    found = model.signatures["serving_default"](image_bytes=tf.io.encode_png(pixels)[tf.newaxis])
    return {name: value.numpy() for name, value in found.items()}


def test_it_gives_what_a_local_run_gives(
    whole: dict[str, Any], vertex_runs: list[dict[str, Any]], vertex: Cluster
):
    summary = vertex_runs[0]["summary"]
    assert summary["status"] == "succeeded"
    assert summary["metrics"] == whole["metrics"]
    assert summary["training"] == whole["training"]
    assert summary["images"] == whole["images"]
    assert summary["blessed"] is True
    assert summary["serving_check"]["ok"] is True
    assert summary["pushed_model"] == str(vertex.root / "serving" / "flowers" / vertex.versions[0])
    ours, theirs = _answers(summary["pushed_model"]), _answers(whole["pushed_model"])
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        if values.dtype.kind == "f":
            # Beam puts other images together in a batch, which changes the last bit of a product.
            np.testing.assert_allclose(values, theirs[name], atol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(values, theirs[name], err_msg=name)


def test_the_second_time_takes_the_cache_and_the_blessed_baseline(
    vertex_runs: list[dict[str, Any]], vertex: Cluster
):
    first, second = vertex_runs
    assert _repeated(second) == RESOLVERS | WITH_BASELINE | {"OutcomeReport"}
    (baseline,) = second["Baseline-model-resolver"]["outputs"]["model"]
    assert baseline["uri"] == first["Trainer"]["outputs"]["model"][0]["uri"]
    assert first["summary"]["difference_to_baseline"] == {}
    assert second["summary"]["difference_to_baseline"]["recall_at_1"]["value"] == 0.0
    # The same model is not pushed twice.
    assert vertex.versions == [pathlib.Path(first["summary"]["pushed_model"]).name]
    assert second["summary"]["pushed_model"] == first["summary"]["pushed_model"]


def test_a_failure_stops_what_needs_it_and_is_reported(
    vertex_runs: list[dict[str, Any]], vertex: Cluster
):
    before = vertex.versions
    tasks = vertex.execute(
        "--mode", "fast", "--parameter", "evaluation_config=no JSON at all", status=1
    )
    assert tasks["Evaluator"]["state"] == "FAILED"
    assert tasks["Pusher"]["state"] == "NOT_TRIGGERED"
    assert tasks["TestEvaluator"]["state"] == "SUCCEEDED"
    assert tasks["OutcomeReport"]["state"] == "SUCCEEDED"
    assert [outcome["state"] for outcome in vertex.outcomes] == ["SUCCEEDED", "SUCCEEDED", "FAILED"]
    assert "Evaluator" in vertex.outcomes[-1]["error"]
    assert vertex.versions == before
    assert tasks["summary"]["status"] == "failed"
    assert "Evaluator failed" in tasks["summary"]["error"]


@pytest.mark.extended
def test_a_parameter_reaches_the_training(vertex_runs: list[dict[str, Any]], vertex: Cluster):
    given = "training_config.config.training.epochs=1"
    tasks = vertex.execute("--mode", "fast", "--parameter", given)
    assert tasks["summary"]["training"]["epochs"] == 1
    assert tasks["Transform"]["cached"]
    assert not tasks["Trainer"]["cached"]


@pytest.mark.extended
def test_exact_mode_and_kubeflow_give_it_too(
    whole: dict[str, Any], tmp_path: pathlib.Path, tiny: tuple[str, ...]
):
    cluster = _compiled(tmp_path, "kfp", tiny)
    first = cluster.execute("--mode", "exact")
    assert first["summary"]["metrics"] == whole["metrics"]
    assert first["summary"]["blessed"] is True
    second = cluster.execute("--mode", "fast")
    # What was blessed last is a step here, and its artifact another one each time.
    assert _repeated(second) == {"Baseline", "Evaluator", "Pusher", "Report", "OutcomeReport"}
    (baseline,) = second["Baseline"]["outputs"]["model"]
    assert baseline["uri"] == first["Trainer"]["outputs"]["model"][0]["uri"]
    assert second["summary"]["difference_to_baseline"]["recall_at_1"]["value"] == 0.0
    assert len(cluster.versions) == 1
