"""The component's executor on logs in files: what it counts, embeds, compares and writes."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tfx import v1 as tfx
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor

from components.drift_monitor import report
from components.drift_monitor.artifact import DriftReport
from components.drift_monitor.component import DriftMonitor
from components.drift_monitor.config import DriftConfig
from components.drift_monitor.executor import Executor
from components.drift_monitor.served import ServedModel
from components.image_embedder import records
from components.image_embedder.artifact import ImageEmbeddings
from retrieval.search import top_k
from tests.components.drift_monitor.conftest import THRESHOLD, draw, photo, predict_log

CONFIG = DriftConfig(
    reference_split="test",
    significance=0.01,
    smallest_effect=0.02,
    smallest_score_drop=0.15,
    allowed_rise=0.05,
    min_photos=20,
    max_photos=1000,
    sample_size=1000,
)


@pytest.fixture
def monitor(
    tmp_path: pathlib.Path, embeddings_folder: str, served_folders: dict[str, str]
) -> Callable[..., dict[str, Any]]:
    """Gives `monitor(files, **changes)`: the content of the report."""
    runs = iter(range(100))

    def run(files: list[str], served: str = "exact", **changes: Any) -> dict[str, Any]:
        embeddings, found = ImageEmbeddings(), DriftReport()
        embeddings.uri = embeddings_folder
        found.uri = str(tmp_path / f"report{next(runs)}")
        config = dataclasses.replace(CONFIG, **changes)
        context = BaseBeamExecutor.Context(
            beam_pipeline_args=["--runner=FnApiRunner"], tmp_dir=str(tmp_path), unique_id="1"
        )
        Executor(context).Do(
            {"embeddings": [embeddings]},
            {"report": [found]},
            {
                "config": json.dumps(dataclasses.asdict(config)),
                "logs": json.dumps(files),
                "fingerprint": "f",
                "model_folder": served_folders.get(served, served),
                "code_hash": "c",
            },
        )
        # What users asked about does not stay.
        assert os.listdir(found.uri) == [report.FILE]
        content = json.loads(pathlib.Path(found.uri, report.FILE).read_text("utf-8"))
        assert found.get_int_custom_property("drifted") == int(content["drifted"])
        assert found.get_int_custom_property("photos") == content["examined"]
        return content

    return run


def requests(rows: np.ndarray, per_request: int = 3, **options: Any) -> list[bytes]:
    images = [photo(row) for row in rows]
    return [
        predict_log(images[start : start + per_request], **options)
        for start in range(0, len(images), per_request)
    ]


@pytest.fixture
def same(write_log: Callable[..., str]) -> list[str]:
    """Photos like the reference, in two files."""
    rows = draw(np.random.default_rng(5), 120)
    return [write_log("one", requests(rows[:70])), write_log("two", requests(rows[70:], 2))]


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    return {}


@pytest.fixture
def of_same(
    same: list[str], monitor: Callable[..., dict[str, Any]], kept: dict[str, Any]
) -> dict[str, Any]:
    """The report on these photos, made once."""
    if not kept:
        kept.update(monitor(same))
    return kept


def test_photos_of_the_same_kind(of_same: dict[str, Any]):
    found = of_same
    assert not found["drifted"] and found["decided"] and found["examined"] == 120
    assert found["threshold"] == pytest.approx(THRESHOLD)
    log = found["requests"]
    assert (log["files"], log["photos"], log["without_match"]) == (2, 120, 0)
    assert log["models"] == {"flowers/5": 120}
    assert log["skipped"] == {} and log["cut_files"] == [] and log["undecodable"] == 0
    assert found["comparison"]["compared"] == [120, 150]


def test_the_numbers_are_those_of_arrays(of_same: dict[str, Any], embeddings_folder: str):
    compared = of_same["comparison"]
    queries = draw(np.random.default_rng(5), 120)
    gallery = records.read(embeddings_folder, ["validation"]).embeddings
    reference = records.read(embeddings_folder, ["test"]).embeddings
    for rows, mean, rate in (
        (queries, "best_score", "out_of_gallery"),
        (reference, "reference_best_score", "reference_out_of_gallery"),
    ):
        best = (rows.astype(np.float64) @ gallery.T).max(axis=1)
        assert compared[mean] == pytest.approx(best.mean(), abs=1e-5)
        assert compared[rate] == pytest.approx((best < THRESHOLD).mean(), abs=0.011)
        assert 0.0 < compared[rate] < 0.9


def test_photos_of_another_kind(
    write_log: Callable[..., str], monitor: Callable[..., dict[str, Any]]
):
    centres = np.random.default_rng(50).normal(size=(3, 4)) - np.array([0, 2, 0, 0])
    rows = draw(np.random.default_rng(6), 60, centres)
    found = monitor([write_log("log", requests(rows))])
    assert found["drifted"] and len(found["reasons"]) == 3


def test_images_of_the_gallery_do_not_find_themselves(
    same: list[str], monitor: Callable[..., dict[str, Any]]
):
    found = monitor(same, reference_split="validation")
    assert found["comparison"]["reference_best_score"] < 0.999
    assert not found["drifted"]


def test_a_routed_gallery_is_searched_exactly(
    same: list[str], monitor: Callable[..., dict[str, Any]]
):
    routed, exact = (
        monitor(same, served, reference_split="validation") for served in ("routed", "exact")
    )
    assert routed["comparison"] == exact["comparison"]


def test_neither_cutting_nor_order_matter(
    same: list[str],
    of_same: dict[str, Any],
    write_log: Callable[..., str],
    monitor: Callable[..., dict[str, Any]],
):
    rows = draw(np.random.default_rng(5), 120)[::-1]
    other = [write_log("whole", requests(rows, 7))]
    for limits in ({}, {"max_photos": 50, "sample_size": 30}):
        one, again = monitor(same, **limits) if limits else of_same, monitor(other, **limits)
        assert one["examined"] == again["examined"] == limits.get("max_photos", 120)
        # A photo's embedding depends a little on what it is embedded with.
        for name in ("embeddings", "scores"):
            for key, value in one["comparison"][name].items():
                assert again["comparison"][name][key] == pytest.approx(value, abs=2e-5)


def test_equal_input_gives_an_equal_report(
    same: list[str], of_same: dict[str, Any], monitor: Callable[..., dict[str, Any]]
):
    again = monitor(same)
    # The time of the log's files, which are others here.
    again["requests"]["written"] = of_same["requests"]["written"]
    assert again == of_same


def test_a_photo_counts_once_however_often_it_was_asked_about(
    same: list[str],
    of_same: dict[str, Any],
    write_log: Callable[..., str],
    monitor: Callable[..., dict[str, Any]],
):
    content = photo(draw(np.random.default_rng(5), 120)[3])
    often = write_log("often", [predict_log([content] * 10)] * 30)
    found, once = monitor([*same, often]), of_same
    assert found["requests"]["photos"] == 420 and found["examined"] == 120
    for key in ("photos", "out_of_gallery", "best_score"):
        assert found["comparison"][key] == pytest.approx(once["comparison"][key], abs=1e-6)


def test_what_is_no_photo_is_counted_and_passed_over(
    same: list[str], write_log: Callable[..., str], monitor: Callable[..., dict[str, Any]]
):
    others = write_log(
        "others",
        [
            predict_log([b"1 0 0 0"], signature="embed"),
            predict_log([b"1 0 0 0"], signature="embed"),
            b"\xff",
            predict_log([b"no photo", b"1 0 0 1"]),
        ],
    )
    cut = write_log("cut", requests(draw(np.random.default_rng(9), 9)))
    os.truncate(cut, os.path.getsize(cut) - 5)
    found = monitor([*same, others, cut])
    log = found["requests"]
    assert log["skipped"] == {"no PredictionLog": 1, "signature embed": 2}
    assert log["cut_files"] == [cut]
    assert log["photos"] == 120 + 2 + 6
    assert (log["undecodable"], found["examined"]) == (1, 127)


def test_what_was_answered(write_log: Callable[..., str], monitor: Callable[..., dict[str, Any]]):
    rows = draw(np.random.default_rng(7), 26)
    answers = [(f"id {i % 13:02}", f"class {i % 2}", i % 4 != 0) for i in range(26)]
    answers[25] = ("", "", False)  # padding of an empty gallery
    images = [photo(row) for row in rows]
    logs = [predict_log(images[:20], answers=answers[:20], version=4)]
    logs.append(predict_log(images[20:], answers=answers[20:]))
    log = monitor([write_log("log", logs)])["requests"]
    assert log["models"] == {"flowers/4": 20, "flowers/5": 6}
    assert log["without_match"] == 8
    assert log["classes"] == [["class 0", 13], ["class 1", 12]]
    assert len(log["ids"]) == 10 and all(number == 2 for _, number in log["ids"])


@pytest.mark.parametrize("contents", [[], [predict_log([b"1 0 0 0", b"no photo"])]])
def test_too_few(
    contents: list[bytes],
    write_log: Callable[..., str],
    monitor: Callable[..., dict[str, Any]],
):
    found = monitor([write_log("log", contents)])
    assert (found["drifted"], found["decided"], found["comparison"]) == (False, False, None)
    assert (
        found["examined"] == len(contents) and "monitoring.min_photos is 20" in found["reasons"][0]
    )


def test_no_such_split(same: list[str], monitor: Callable[..., dict[str, Any]]):
    with pytest.raises(ValueError, match="no image of split other is embedded"):
        monitor(same, reference_split="other")


def test_another_model(
    same: list[str], monitor: Callable[..., dict[str, Any]], served_folders: dict[str, str]
):
    folder = str(pathlib.Path(served_folders["exact"]).parent / "trained")
    with pytest.raises(Exception, match="trained is no similarity model: it has no searched, ids"):
        monitor(same, folder)


def test_photos_that_spoil_a_batch(served_folders: dict[str, str]):
    model = ServedModel(served_folders["exact"])
    found = model.embed([b"1 0 0 0", b"no photo", b"0 2 0 0"])
    assert found[1] is None
    assert np.array([found[0], found[2]]) == pytest.approx(np.eye(4)[:2])


def test_best_scores_are_those_of_the_gallery(
    served_folders: dict[str, str], embeddings_folder: str
):
    images = records.read(embeddings_folder, ["validation"])
    expected, _ = top_k(
        images.embeddings, images.embeddings, 1, query_ids=images.ids, gallery_ids=images.ids
    )
    for folder in served_folders.values():
        found = ServedModel(folder).best_scores(images.embeddings, images.ids)
        assert found == pytest.approx(expected[:, 0], abs=1e-6)
        assert ServedModel(folder).best_scores(np.empty((0, 4), np.float32)).shape == (0,)


def test_the_component_describes_itself():
    component = DriftMonitor(
        tfx.dsl.Channel(type=tfx.types.standard_artifacts.PushedModel),
        tfx.dsl.Channel(type=ImageEmbeddings),
        logs=["/a", "/b"],
        fingerprint="f",
        model_folder="/served/5",
        config=CONFIG,
        code_hash="c",
    )
    properties = component.exec_properties
    assert json.loads(properties["logs"]) == ["/a", "/b"]
    assert DriftConfig(**json.loads(properties["config"])) == CONFIG
    assert component.outputs["report"].type is DriftReport
    import components

    assert components.DriftReport is DriftReport
