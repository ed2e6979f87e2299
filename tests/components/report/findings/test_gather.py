"""Findings of whole and of half runs."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections import Counter
from typing import Any

import numpy as np
import pytest

from components.report.findings.gather import gather
from components.report.findings.store import Findings
from components.report.sources import ReportConfig, Sources
from components.retrieval_evaluator.results import read_differences, read_intervals
from tests.components.report.small_run import (
    CLASS_NAMES,
    HISTORY,
    PER_CLASS,
    SERVING_CHECK,
    THRESHOLD,
    SmallRun,
    named,
    small_run,
    write_images,
    write_json,
)


def pictures_named(value: Any) -> set[str]:
    """All keys of pictures in some content."""
    if isinstance(value, list):
        return set().union(*map(pictures_named, value))
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, item in value.items():
        if key in ("picture", "original_picture", "sprite"):
            found |= {item} - {None}
        elif key in ("pictures", "other_pictures"):
            found |= set(item)
        else:
            found |= pictures_named(item)
    return found


def test_the_means_over_queries_are_those_of_the_evaluation(found: Findings) -> None:
    content = found.content
    assert content["subject"] == "test"
    metrics = content["evaluations"]["test"]["metrics"]
    rows = content["per_class"]
    total = sum(row["queries"] for row in rows)
    assert total == content["evaluations"]["test"]["queries"] == content["protocol"]["queries"]
    for name in ("recall_at_1", "map_at_r"):
        mean = sum(row["queries"] * row[name] for row in rows) / total
        assert mean == pytest.approx(metrics[name]["value"])
    assert set(content["balanced"]) == set(metrics)
    right = [value for value in content["map"]["right"] if value >= 0]
    assert np.mean(right) == pytest.approx(metrics["recall_at_1"]["value"])


@pytest.mark.parametrize(
    ("gallery_splits", "left_out"),
    [(("train", "validation"), False), ((), True), (("train",), True)],
)
def test_so_they_are_under_other_protocols(
    artifacts: pathlib.Path, gallery_splits: tuple[str, ...], left_out: bool
) -> None:
    run = small_run(artifacts, gallery_splits=gallery_splits, left_out=left_out, seed=3)
    content = gather(run.sources, run.config).content
    evaluation = content["evaluations"]["test"]
    protocol = content["protocol"]
    assert protocol["queries"] == evaluation["queries"] == 30 - left_out
    assert protocol["left_out"] == left_out
    assert protocol["gallery_splits"] == sorted(gallery_splits or ("test",))
    total = sum(row["queries"] for row in content["per_class"])
    for name in ("recall_at_1", "map_at_r"):
        mean = sum(row["queries"] * row[name] for row in content["per_class"]) / total
        assert mean == pytest.approx(evaluation["metrics"][name]["value"])
    left = run.images[-1].identity.decode()
    right = dict(zip(content["map"]["ids"], content["map"]["right"], strict=True))
    assert (right[left] == -1) == left_out, "it is in the map, but was no query"
    assert content["data"]["near_duplicates"]["left_out"] == left_out


def test_evaluations_are_handed_on(run: SmallRun, found: Findings) -> None:
    for split in ("validation", "test"):
        entry = found.content["evaluations"][split]
        uri = run.sources.evaluations[split]
        expected = read_intervals(uri)
        assert entry["queries"] == expected.pop("example_count").value
        assert entry["metrics"] == {name: value._asdict() for name, value in expected.items()}
        assert entry["differences"] == {
            name: value._asdict() for name, value in read_differences(uri).items()
        }
    assert (
        found.content["evaluations"]["validation"]["differences"]["recall_at_1"]["low"] is not None
    )
    assert found.content["blessed"] is True and found.content["not_blessed_because"] == []


def test_files_are_handed_on(found: Findings) -> None:
    assert found.content["training"] == HISTORY
    assert found.content["serving_check"] == SERVING_CHECK
    assert found.content["scores"]["threshold"] == THRESHOLD
    assert found.content["gallery_size"] == found.content["scores"]["gallery"] == 60
    assert found.content["scores"]["gallery_splits"] == ["train", "validation"]


def test_the_data(run: SmallRun, found: Findings) -> None:
    content, images = found.content, run.images
    assert content["classes"] == sorted(CLASS_NAMES)
    assert content["splits"] == [
        {"name": split, "images": count * len(CLASS_NAMES)} for split, count in PER_CLASS.items()
    ]
    data = content["data"]
    assert data["class_counts"] == [list(PER_CLASS.values())] * len(CLASS_NAMES)
    assert data["bad_count"] == 1 and data["bad_images"][0]["id"] == "train/torn.jpg"
    duplicates = data["duplicates"]
    assert (duplicates["groups"], duplicates["across_splits"], duplicates["dropped"]) == (2, 0, 1)
    kept = images[-1].identity.decode()
    dropped = next(group for group in duplicates["shown"] if group["dropped"])
    assert dropped["images"] == [
        {**named(images[-1]), "picture": kept},
        {**named(images[-1]), "id": "test/copy.jpg", "picture": kept},
    ], "the copy that was dropped looks like the one that was kept"
    (near,) = data["near_duplicates"]["shown"]
    assert (near["id"], near["picture"]) == (kept, kept)
    assert near["original_id"] == near["original_picture"] == images[0].identity.decode()


def test_leaks_are_shown_first(artifacts: pathlib.Path) -> None:
    run = small_run(artifacts, evaluated=False)
    within = [named(image) for image in run.images[:4]]
    across = [named(run.images[0]), named(run.images[-1])]
    groups = [{"images": [image, image], "dropped": []} for image in within] * 4
    write_json(
        artifacts / "examples" / "ingestion.json",
        {
            "images": {"train": 36, "validation": 24, "test": 30},
            "bad_images": [],
            "duplicates": [*groups, {"images": across, "dropped": []}],
        },
    )
    duplicates = gather(run.sources, run.config).content["data"]["duplicates"]
    assert (duplicates["groups"], duplicates["across_splits"]) == (17, 1)
    assert len(duplicates["shown"]) == 12
    assert [image["id"] for image in duplicates["shown"][0]["images"]] == [i["id"] for i in across]


def test_every_picture_that_is_named_is_there_and_no_other(found: Findings) -> None:
    assert pictures_named(found.content) == set(found.pictures)
    sprite = found.content["map"]
    assert sprite["tile"] * sprite["columns"] > 0


def test_it_is_json_and_the_same_each_time(run: SmallRun, found: Findings) -> None:
    again = gather(run.sources, run.config)
    assert json.dumps(again.content, allow_nan=False) == json.dumps(found.content, allow_nan=False)
    assert again.pictures == found.pictures


def test_progress_is_told(run: SmallRun) -> None:
    told: list[str] = []
    gather(run.sources, run.config, told.append)
    assert told == [
        "reading results",
        "reading images",
        "searching for 30 images",
        "comparing scores",
        "mapping 90 images",
        "drawing pictures",
    ]


def test_a_run_of_which_nothing_is_there() -> None:
    content = gather(Sources(), ReportConfig()).content
    json.dumps(content, allow_nan=False)
    assert content["splits"] == content["classes"] == content["per_class"] == []
    assert content["evaluations"] == {}
    for key in ("training", "blessed", "serving_check", "subject", "scores", "map"):
        assert content[key] is None
    assert content["data"]["duplicates"] is content["data"]["near_duplicates"] is None


def test_a_run_that_failed_in_training_tells_of_its_data(run: SmallRun) -> None:
    content = gather(Sources(examples=run.sources.examples), ReportConfig()).content
    assert [split["name"] for split in content["splits"]] == ["train", "validation", "test"]
    assert content["data"]["bad_count"] == 1
    assert {
        image["picture"]
        for group in content["data"]["duplicates"]["shown"]
        for image in group["images"]
    } == {None}


def test_without_test_images_it_is_about_validation(run: SmallRun) -> None:
    sources = dataclasses.replace(run.sources, embedded_splits=("train", "validation"))
    content = gather(sources, run.config).content
    assert content["subject"] == "validation"
    assert content["protocol"]["queries"] == 24
    # The others are known to ingestion.
    assert [split["name"] for split in content["splits"]] == ["train", "validation", "test"]
    assert content["data"]["class_counts"] == [[6, 4, None]] * len(CLASS_NAMES)


def test_without_the_gallery_nothing_is_said_of_queries(run: SmallRun) -> None:
    sources = dataclasses.replace(run.sources, embedded_splits=("validation", "test"))
    config = dataclasses.replace(run.config, gallery_splits=("train",))
    content = gather(sources, config).content
    assert content["subject"] is content["protocol"] is content["scores"] is None
    assert content["map"]["images"] == 54


def test_a_model_that_was_not_blessed_says_why(run: SmallRun, tmp_path: pathlib.Path) -> None:
    import shutil

    import tensorflow as tf
    from tensorflow_model_analysis.proto import validation_result_pb2

    uri = tmp_path / "evaluation"
    shutil.copytree(run.sources.evaluations["validation"], uri)
    verdict = validation_result_pb2.ValidationResult(validation_ok=False)
    failure = verdict.metric_validations_per_slice.add().failures.add()
    failure.metric_key.name = "recall_at_1"
    failure.metric_value.double_value.value = 0.25
    failure.metric_threshold.value_threshold.lower_bound.value = 0.5
    with tf.io.TFRecordWriter(str(uri / "validations.tfrecord")) as writer:
        writer.write(verdict.SerializeToString())
    sources = dataclasses.replace(
        run.sources, embeddings=None, blessed=False, evaluations={"validation": str(uri)}
    )
    content = gather(sources, run.config).content
    assert content["not_blessed_because"] == ["recall_at_1 is 0.2500; at least 0.5000 is required"]


@pytest.mark.parametrize(
    ("names", "per_class", "size"),
    [
        (("a",), {"train": 3, "validation": 2, "test": 4}, 16),
        (("a", "b"), {"test": 1}, 16),
        (("a", "b"), {"train": 1, "test": 1}, 24),
        (("a",), {"test": 1}, 24),
        (tuple("abcdefgh"), {"train": 1, "validation": 1, "test": 1}, 40),
        (("a", "b", "c"), {"train": 3, "validation": 0, "test": 0}, 24),
    ],
    ids=["one class", "two images", "a train image", "one image", "classes of one", "only train"],
)
def test_small_and_odd_data(
    artifacts: pathlib.Path, names: tuple[str, ...], per_class: dict[str, int], size: int
) -> None:
    run = small_run(
        artifacts, class_names=names, per_class=per_class, picture_size=size, evaluated=False
    )
    findings = gather(run.sources, run.config)
    json.dumps(findings.content, allow_nan=False)
    content = findings.content
    total = len(names) * sum(per_class.values())
    assert content["map"]["images"] == len(content["map"]["x"]) == total
    assert pictures_named(content) == set(findings.pictures)
    if content["subject"]:
        within = Counter(image.class_name for image in run.images if image.split == b"test")
        expected = sum(count for count in within.values() if count > 1)
        assert sum(row["queries"] for row in content["per_class"]) == expected
        protocol = content["protocol"]
        assert protocol["queries"] - protocol["without_relevant"] == expected
    else:
        assert not per_class.get("test")


def test_an_empty_split_is_no_mistake(artifacts: pathlib.Path) -> None:
    run = small_run(artifacts, evaluated=False)
    sources = dataclasses.replace(run.sources, embedded_splits=("train", "validation", "holdout"))
    content = gather(sources, run.config).content
    assert content["subject"] == "validation"
    assert content["data"]["class_counts"][0] == [6, 4, None, 0]


def test_ids_that_are_no_text_and_one_that_is_called_as_the_sprite(
    artifacts: pathlib.Path,
) -> None:
    run = small_run(artifacts, evaluated=False)
    images = [
        image._replace(identity=identity)
        for image, identity in zip(run.images[-3:], (b"map", b"\xff\x00", b"\xfe\x00"), strict=True)
    ]
    write_images(artifacts / "odd", images)
    sources = Sources(embeddings=str(artifacts / "odd"), embedded_splits=("test",))
    findings = gather(sources, ReportConfig())
    assert len(set(findings.content["map"]["ids"])) == 3
    assert pictures_named(findings.content) == set(findings.pictures)
    assert findings.content["map"]["sprite"] != "map" and "map" in findings.pictures


def test_two_images_of_one_id_are_named(artifacts: pathlib.Path) -> None:
    run = small_run(artifacts, evaluated=False)
    write_images(artifacts / "odd", [run.images[-1], run.images[-1]])
    sources = Sources(embeddings=str(artifacts / "odd"), embedded_splits=("test",))
    with pytest.raises(ValueError, match=run.images[-1].identity.decode()):
        gather(sources, ReportConfig())


def test_many_images_are_drawn_from(run: SmallRun) -> None:
    config = dataclasses.replace(run.config, map_images=30)
    content = gather(run.sources, config).content
    assert (content["map"]["images"], content["map"]["of"]) == (30, 90)
    assert Counter(content["map"]["classes"]) == dict.fromkeys(range(6), 5)


def test_pictures_keep_within_their_limit(artifacts: pathlib.Path) -> None:
    run = small_run(artifacts, picture_size=160, evaluated=False)
    sizes = {}
    for limit in (1.0, 0.04):
        config = dataclasses.replace(run.config, max_megabytes=limit)
        findings = gather(run.sources, config)
        sizes[limit] = sum(len(picture) for picture in findings.pictures.values()) * 4 / 3
        assert sizes[limit] <= limit * 1e6
    assert sizes[0.04] < sizes[1.0]
