"""The whole DAG on a handful of images: what is cached, what is pushed, and what is answered."""

from __future__ import annotations

import dataclasses
import io
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline import code_hash
from pipeline.component_ids import COMPONENT_IDS
from pipeline.local_runner import RunResult, run
from pipeline.settings_loader import load_settings

pytestmark = pytest.mark.e2e

ALL = set(COMPONENT_IDS)


def _run(workdir: pathlib.Path, overrides: Sequence[str]) -> RunResult:
    return run(load_settings("demo", overrides), workdir, preset="demo")


def _executed(result: RunResult) -> set[str]:
    return {step["id"] for step in result.summary["components"] if not step["cached"]}


def _versions(workdir: pathlib.Path) -> list[str]:
    return sorted(path.name for path in (workdir / "serving" / "flowers").iterdir())


@dataclasses.dataclass
class Runs:
    workdir: pathlib.Path
    results: list[RunResult]
    versions: list[list[str]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny: tuple[str, ...]) -> Runs:
    """First run; second; third; after an edit to what is served.

    Then one whose server may not take the memory that it takes, and one whose model is not good
    enough. What other edits repeat is in
    `tests/pipeline/test_edited_code.py`.
    """
    workdir = tmp_path_factory.mktemp("runs")
    project = tmp_path_factory.mktemp("project")
    for room in code_hash.ROOMS:
        shutil.copytree(code_hash.ROOT / room, project / room)
    found = Runs(workdir, [], [])

    def once(*overrides: str) -> None:
        found.results.append(_run(workdir, [*tiny, *overrides]))
        found.versions.append(_versions(workdir))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code_hash, "ROOT", project)
        for _ in range(3):
            once()
        with open(project / "components/similarity_indexer/servable.py", "a") as source:
            source.write("\n# edited\n")
        once()
        once("serving_check.max_memory_mb=10")
        once("evaluation.min_map_at_r=0.99")
    return found


def test_the_first_run_executes_everything_and_pushes(runs: Runs) -> None:
    summary = runs.results[0].summary
    assert summary["status"] == "succeeded"
    assert _executed(runs.results[0]) == ALL
    assert summary["blessed"] and summary["not_blessed_because"] == []
    assert runs.versions[0] == [pathlib.Path(summary["pushed_model"]).name]
    assert (pathlib.Path(summary["pushed_model"]) / "saved_model.pb").is_file()
    assert summary["gallery_size"] == 3 * (6 + 4)
    assert summary["images"] == {"train": 18, "validation": 12, "test": 9}
    for split in ("validation", "test"):
        assert 0.0 <= summary["metrics"][split]["recall_at_1"] <= 1.0
        assert summary["metrics"][split]["recall_at_10"] == 1.0  # all others are among the ten
    assert set(summary["frozen_backbone"]["validation"]) >= {"recall_at_1", "map_at_r"}
    training = summary["training"]
    assert training["epochs"] == 2 and training["epoch"] in (1, 2)
    assert training["center_loss"] >= 0.0 and training["val_intra_inter"] > 0.0


def test_the_second_run_repeats_only_what_the_baseline_changes(runs: Runs) -> None:
    second = runs.results[1]
    assert _executed(second) == {"Baseline", "Evaluator", "Pusher", "Report"}
    assert second.summary["metrics"] == runs.results[0].summary["metrics"]
    assert second.summary["blessed"]
    assert second.summary["pushed_model"] == runs.results[0].summary["pushed_model"]
    assert runs.versions[1] == runs.versions[0]


def test_the_third_run_is_cached_but_for_the_resolver(runs: Runs) -> None:
    assert _executed(runs.results[2]) == {"Baseline"}
    assert runs.results[2].summary["pushed_model"] == runs.results[0].summary["pushed_model"]
    assert runs.versions[2] == runs.versions[0]


def test_an_edit_to_the_served_model_indexes_and_pushes_anew(runs: Runs) -> None:
    assert _executed(runs.results[3]) == {
        "Baseline",
        "SimilarityIndexer",
        "ServingCheck",
        "Pusher",
        "Report",
    }
    assert len(runs.versions[3]) == 2
    assert pathlib.Path(runs.results[3].summary["pushed_model"]).name == runs.versions[3][-1]


def test_the_first_run_tries_the_model_in_a_server(runs: Runs) -> None:
    check = runs.results[0].summary["serving_check"]
    assert check["ok"] and (check["photos"], check["gallery_photos"]) == (8, 4)
    assert 0 < check["latency"]["median_ms"] <= check["latency"]["p95_ms"] < 2000
    assert "is available" in pathlib.Path(check["log"]).read_text("utf-8")
    version = pathlib.Path(runs.results[0].summary["pushed_model"])
    assert (version / "assets.extra" / "tf_serving_warmup_requests").stat().st_size > 1000


def test_a_model_that_fails_in_a_server_is_not_pushed(runs: Runs) -> None:
    result = runs.results[4]
    assert _executed(result) == {"Baseline", "ServingCheck", "Pusher", "Report"}
    assert result.summary["status"] == "succeeded" and result.summary["blessed"]
    assert result.summary["pushed_model"] is None
    reason = result.summary["serving_check"]["reason"]
    assert "peak memory is" in reason and "(serving_check.max_memory_mb)" in reason
    assert runs.versions[4] == runs.versions[3]


def test_a_gallery_image_finds_itself_over_http(runs: Runs) -> None:
    from pipeline.sample_query import first_image
    from serving.client import SimilarityClient
    from serving.model_server import ServerOptions, running_server

    identity, class_name, image = first_image(runs.results[0].dataset, "train")
    options = ServerOptions(
        model_name="flowers",
        model_base_path=str(runs.workdir / "serving" / "flowers"),
        rest_api_port=0,
    )
    with running_server(options) as url, SimilarityClient(url) as client:
        neighbours = client.similar(image)
        assert len(neighbours) == 7
        assert (neighbours[0].id, neighbours[0].class_name) == (identity, class_name)
        assert neighbours[0].score == pytest.approx(1.0, abs=1e-5)
        scores = [neighbour.score for neighbour in neighbours]
        assert scores == sorted(scores, reverse=True)
        assert client.similar(image, k=2) == neighbours[:2]


def test_every_signature_of_the_pushed_model_answers(runs: Runs) -> None:
    import tensorflow as tf

    from pipeline.sample_query import first_image

    model = tf.saved_model.load(runs.results[0].summary["pushed_model"])
    identity, class_name, image = first_image(runs.results[0].dataset, "train")
    batch = tf.constant([image, image])
    assert set(model.signatures) == {
        "serving_default",
        "similar",
        "embed",
        "embed_examples",
        "classify_image",
        "thumbnail",
    }
    embedding = model.signatures["embed"](image_bytes=batch)["embedding"].numpy()
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1.0, atol=1e-5)
    example = tf.train.Example()
    example.features.feature["image"].bytes_list.value.append(image)
    from_example = model.signatures["embed_examples"](
        examples=tf.constant([example.SerializeToString()])
    )["embedding"].numpy()
    np.testing.assert_allclose(from_example[0], embedding[0], atol=1e-5)
    classes = model.signatures["classify_image"](image_bytes=batch)
    assert classes["scores"].shape == (2, 3)
    np.testing.assert_allclose(classes["scores"].numpy().sum(axis=1), 1.0, atol=1e-5)
    assert class_name.encode() in set(classes["class_names"].numpy()[0])
    (thumbnail,) = model.signatures["thumbnail"](ids=tf.constant([identity]))[
        "thumbnail_bytes"
    ].numpy()
    small, whole = Image.open(io.BytesIO(thumbnail)), Image.open(io.BytesIO(image))
    assert small.format == "JPEG"
    assert small.width / small.height == pytest.approx(whole.width / whole.height, rel=0.05)
    with pytest.raises(tf.errors.InvalidArgumentError, match="no-such-flower"):
        model.signatures["thumbnail"](ids=tf.constant([identity, "no-such-flower"]))


def test_the_picture_of_neighbours_frames_the_right_ones(runs: Runs) -> None:
    import tensorflow as tf

    from pipeline.neighbour_sheet import (
        FRAME,
        GAP,
        OTHER,
        SAME,
        SIDE,
        first_of_each_class,
        neighbour_sheet,
    )

    model = tf.saved_model.load(runs.results[0].summary["pushed_model"])
    queries = first_of_each_class(runs.results[0].dataset, "test")
    assert len({name for name, _ in queries}) == len(queries) == 3
    sheet = neighbour_sheet(model, queries, columns=4)
    assert sheet.size == (5 * (SIDE + GAP) + GAP, 3 * (SIDE + GAP) - GAP)
    found = model.signatures["similar"](image_bytes=tf.constant([image for _, image in queries]))
    for row, names in enumerate(found["neighbour_class_names"].numpy()[:, :4]):
        for column, name in enumerate(names):
            corner = ((1 + column) * (SIDE + GAP) + GAP + FRAME // 2, row * (SIDE + GAP) + 1)
            expected = SAME if name.decode() == queries[row][0] else OTHER
            assert sheet.getpixel(corner) == expected


def test_a_bad_model_is_not_pushed_and_the_reason_is_told(runs: Runs) -> None:
    result = runs.results[5]
    assert _executed(result) == {"Baseline", "Evaluator", "Pusher", "Report"}
    summary = result.summary
    assert summary["status"] == "succeeded" and not summary["blessed"]
    assert summary["pushed_model"] is None
    (reason,) = summary["not_blessed_because"]
    value = summary["metrics"]["validation"]["map_at_r"]
    assert reason == f"map_at_r is {value:.4f}; at least 0.9900 is required"
    assert runs.versions[5] == runs.versions[4]


def test_a_near_duplicate_is_listed_and_left_out(
    tmp_path: pathlib.Path, tiny: tuple[str, ...]
) -> None:
    """Photos in folders of splits, one of them a smaller and darker copy of a training photo."""
    from components.synthetic_flowers.genera import draw_species
    from components.synthetic_flowers.scene import photograph
    from components.synthetic_flowers.streams import Purpose, stream

    splits = {"train": Purpose.TRAIN, "validation": Purpose.VALIDATION, "test": Purpose.TEST}
    for split, purpose in splits.items():
        for index in range(12):
            label = index % 2
            path = tmp_path / "photos" / split / f"species {label}" / f"{split}{index}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(
                photograph(stream(0, purpose, label, index), draw_species(0, label), 72)
            )
    original = tmp_path / "photos/train/species 1/train3.jpg"
    copy = tmp_path / "photos/test/species 1/copy.jpg"
    with Image.open(original) as photo:
        photo.resize((photo.width * 2 // 3, photo.height * 2 // 3)).point(
            [value * 4 // 5 for value in range(256)] * 3
        ).save(copy, quality=70)

    folder = f"data.folder={tmp_path / 'photos'}"
    overrides = [*tiny, folder, "images.canonical_size=64", "evaluation.near_duplicates=leave_out"]
    settings = load_settings("demo", overrides)
    summary = run(settings, tmp_path / "run", preset="demo", last="TestEvaluator").summary
    (found,) = summary["near_duplicates"]
    assert found["id"].endswith("copy.jpg") and found["original_id"].endswith("train3.jpg")
    assert (found["split"], found["original_split"]) == ("test", "train")
    assert summary["images"] == {"train": 12, "validation": 12, "test": 13}
    assert summary["metrics"]["test"]["example_count"] == 12
    assert summary["near_duplicates_left_out"]


def test_the_notebook_walks_through_these_runs(runs: Runs, tmp_path: pathlib.Path) -> None:
    import nbclient
    import nbformat

    path = code_hash.ROOT / "notebooks" / "run_to_findings.ipynb"
    notebook = nbformat.read(path, nbformat.NO_CONVERT)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = f"WORKDIR = {str(runs.workdir)!r}"
    # Its own asserts compare what is computed anew with what the pipeline has found.
    resources = {"metadata": {"path": str(path.parent)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 5
    assert not [output for output in outputs if output.get("name") == "stderr"]
    text = "".join(str(output.get("text", "")) for output in outputs)
    assert "settings that differ" in text and "report.html" in text


def test_tensorboard_shows_the_training_of_these_runs_until_it_is_interrupted(runs: Runs) -> None:
    from pipeline.tensorboard.log_folder import prepare

    prepared = prepare(runs.workdir)
    # The later runs took theirs from the cache.
    (shown,) = prepared.shown
    assert len(shown.training.runs) == len(runs.results) and not shown.lacks
    command = [sys.executable, "-m", "pipeline.cli", "tensorboard", "--port", "0"]
    with subprocess.Popen(
        [*command, "--workdir", str(runs.workdir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as board:
        try:
            assert board.stdout is not None
            url = board.stdout.readline().split()[3].rstrip(";")

            def ask(path: str) -> Any:
                with urllib.request.urlopen(f"{url}data/plugin/{path}", timeout=60) as answer:
                    return json.loads(answer.read())

            deadline = time.monotonic() + 60
            while not (tags := ask("scalars/tags")) and time.monotonic() < deadline:
                time.sleep(0.2)
            name = shown.training.name
            points = ask(f"scalars/scalars?run={name}&tag=validation/map_at_r")
            (embedded,) = ask(f"projector/info?run={name}")["embeddings"]
            board.send_signal(signal.SIGINT)
            _, errors = board.communicate(timeout=60)
        finally:
            board.kill()
    assert board.returncode == 0 and "Traceback" not in errors
    assert set(tags) == {name}
    assert [step for _, step, _ in points] == [1, 2]
    assert embedded["tensorShape"] == [18 + 12 + 9, 8]
