"""Killed runs, parts of the DAG, repeated runs, and two runs at once, on a handful of images."""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pipeline.local_runner import RunFailedError, RunResult, run
from pipeline.settings_loader import SettingsError, load_settings
from pipeline.workdir_lock import WorkdirBusyError

pytestmark = pytest.mark.e2e

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPONENTS = [
    "Baseline",
    "ImportSchemaGen",
    "TfdsExampleGen",
    "StatisticsGen",
    "ExampleValidator",
    "AnomalyGate",
    "Transform",
    "Trainer",
    "Evaluator",
    "ImageEmbedder",
    "TestEvaluator",
    "LeakCheck",
    "SimilarityIndexer",
    "ServingCheck",
    "Pusher",
    "Report",
]


@pytest.fixture(scope="module")
def killed(
    tmp_path_factory: pytest.TempPathFactory, tiny: tuple[str, ...]
) -> tuple[pathlib.Path, list[dict[str, Any]]]:
    """The workdir of the runs, and what was seen after each."""
    folder = tmp_path_factory.mktemp("killed")
    result = subprocess.run(
        [
            sys.executable,
            str(ROOT / "tests/e2e/killed_runs.py"),
            str(folder),
            json.dumps(COMPONENTS),
            json.dumps(tiny),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return folder, [json.loads(line) for line in result.stdout.splitlines()]


def test_each_run_was_killed_in_its_component(killed) -> None:
    folder, seen = killed
    for record in seen[: len(COMPONENTS)]:
        assert os.WIFSIGNALED(record["status"]), record
        assert os.WTERMSIG(record["status"]) == signal.SIGKILL, record
    assert [record["status"] for record in seen[len(COMPONENTS) :]] == [0]
    logs = sorted((folder / "logs").iterdir())
    text = "".join(log.read_text("utf-8") for log in logs)
    for component in COMPONENTS:
        assert f"Component {component} is running." in text


def test_a_server_sees_whole_models_only(killed) -> None:
    _, seen = killed
    pushed = [record["versions"] for record in seen[: len(COMPONENTS) + 1]]
    # The run that was killed in the Pusher had pushed; those after it did not push again.
    assert [len(versions) for versions in pushed] == [0] * COMPONENTS.index("Pusher") + [1] * 3
    assert pushed[-1] == pushed[-2] == pushed[-3]


def test_training_went_on_after_the_epoch_it_had_finished(killed) -> None:
    folder, _ = killed
    text = "".join(log.read_text("utf-8") for log in (folder / "logs").iterdir())
    assert "Training goes on after epoch 1." in text
    assert text.count("Epoch 1/2 ") == 1


def _run(
    workdir: pathlib.Path,
    overrides: Sequence[str],
    *,
    first: str | None = None,
    last: str | None = None,
) -> RunResult:
    return run(load_settings("demo", overrides), workdir, preset="demo", first=first, last=last)


def _ran(result: RunResult) -> dict[str, bool]:
    """Whether each component that was started came from the cache."""
    return {step["id"]: step["cached"] for step in result.summary["components"]}


# What parts of a run is asked of the rest.
SHORT = ("serving_check.enabled=false", "report.enabled=false")


@pytest.fixture(scope="module")
def parts(
    tmp_path_factory: pytest.TempPathFactory, tiny: tuple[str, ...]
) -> tuple[pathlib.Path, list[RunResult]]:
    """A workdir, and the results of two runs that together make a whole one."""
    folder, settings = tmp_path_factory.mktemp("parts"), [*tiny, *SHORT]
    return folder, [
        _run(folder, settings, last="Trainer"),
        _run(folder, settings, first="Evaluator"),
    ]


def test_a_run_ends_where_it_is_told_and_another_goes_on_there(parts) -> None:
    first, second = parts[1]
    assert set(_ran(first)) == set(COMPONENTS[1:8])
    assert first.summary["blessed"] is None and first.summary["pushed_model"] is None
    rest = [name for name in COMPONENTS[8:] if name not in ("ServingCheck", "Report")]
    assert _ran(second) == dict.fromkeys(["Baseline", *rest], False)
    assert second.summary["blessed"]


def test_killed_runs_end_in_the_model_of_undisturbed_ones(killed, whole) -> None:
    import tensorflow as tf

    from pipeline.sample_query import first_image

    image = tf.constant([first_image(whole["dataset"], "test")[2]])
    summary = json.loads((killed[0] / "summary.json").read_text("utf-8"))
    assert summary["status"] == "succeeded" and summary["blessed"]
    assert summary["metrics"] == whole["metrics"]
    embeddings = [
        tf.saved_model.load(path).signatures["embed"](image_bytes=image)["embedding"].numpy()
        for path in (summary["pushed_model"], whole["pushed_model"])
    ]
    np.testing.assert_allclose(embeddings[0], embeddings[1], atol=1e-6)


def test_what_comes_before_the_start_is_needed(tmp_path: pathlib.Path, tiny) -> None:
    with pytest.raises(SettingsError, match="--from Trainer takes .* and there was none in"):
        _run(tmp_path, tiny, first="Trainer")
    _run(tmp_path, tiny, last="ImportSchemaGen")
    with pytest.raises(RunFailedError, match="--from Trainer needs the results of the components"):
        _run(tmp_path, tiny, first="Trainer")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"first": "Training"}, "--from Training: there is no such component; there are: "),
        ({"last": "End"}, "--to End: there is no such component"),
        ({"first": "Pusher", "last": "Trainer"}, "Trainer does not depend on Pusher"),
    ],
)
def test_impossible_parts_are_refused(part: dict[str, str], message: str, parts, tiny) -> None:
    with pytest.raises(SettingsError, match=message):
        _run(parts[0], tiny, **part)


def test_a_second_run_in_the_same_workdir_is_told_so(tmp_path: pathlib.Path, tiny) -> None:
    with open(tmp_path / ".lock", "w") as file:
        file.write("process 4711, since today")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(WorkdirBusyError, match=r"is in use by process 4711, since today; .*"):
            _run(tmp_path, tiny)
    assert not (tmp_path / "logs").exists()


def test_a_run_that_never_began_has_nobody_elses_results(
    tmp_path: pathlib.Path, tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfx import v1 as tfx

    earlier = _run(tmp_path, tiny, last="ImportSchemaGen").summary
    assert earlier["run_id"] is not None

    def fail(*arguments: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(tfx.orchestration.LocalDagRunner, "run", fail)
    with pytest.raises(RunFailedError, match="no space left"):
        _run(tmp_path, tiny)
    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert summary["status"] == "failed" and summary["run_id"] is None
    assert "no space left" in pathlib.Path(summary["report"]).read_text("utf-8")
