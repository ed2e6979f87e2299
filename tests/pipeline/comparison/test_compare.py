"""Whole comparisons of small runs, against an evaluation in plain Python."""

from __future__ import annotations

import io
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.image_embedder.records import EmbeddedImage
from pipeline.comparison.compare import SHOWN, Comparison, compare
from pipeline.comparison.compared_run import run_labels
from pipeline.comparison.errors import NotComparableError
from pipeline.run_lineage import LineageError
from pipeline.run_records import RunNotFoundError, find_run
from tests.pipeline.comparison.small_workdir import CLASS_NAMES, images, shaken, write_run

OLDER, NEWER = "20260101-080000", "20260102-070000"


def _compare(*folders: pathlib.Path) -> Comparison:
    return compare([find_run(str(folder)) for folder in folders])


@pytest.fixture(scope="module")
def embedded() -> list[EmbeddedImage]:
    return images()


@pytest.fixture(scope="module")
def other(embedded: list[EmbeddedImage]) -> list[EmbeddedImage]:
    return shaken(embedded)


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory,
    embedded: list[EmbeddedImage],
    other: list[EmbeddedImage],
) -> tuple[pathlib.Path, pathlib.Path]:
    """Two runs in one workdir, of other embeddings, code and settings."""
    workdir = tmp_path_factory.mktemp("pair")
    changed = {"blessed": False, "pushed_model": None, "duration_seconds": 61.0}
    return (
        write_run(workdir, embedded, name=OLDER),
        write_run(
            workdir, other, name=NEWER, code="1" * 16, summary=changed,
            overrides=["training.epochs=5"],
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def compared(pair: tuple[pathlib.Path, pathlib.Path]) -> Comparison:
    return _compare(*pair)


def _ranking(query: EmbeddedImage, gallery: Sequence[EmbeddedImage]) -> list[EmbeddedImage]:
    """All others by their cosine."""
    others = [image for image in gallery if image.identity != query.identity]
    return sorted(
        others,
        key=lambda image: (
            -float(query.embedding @ image.embedding) / float(np.linalg.norm(image.embedding))
        ),
    )


def _metrics(query: EmbeddedImage, gallery: Sequence[EmbeddedImage]) -> dict[str, float]:
    right = [image.class_name == query.class_name for image in _ranking(query, gallery)]
    count = sum(right)
    ranks = [rank for rank, same in enumerate(right, 1) if same]
    precise = [nth / rank for nth, rank in enumerate(ranks, 1)]
    return {
        "recall_at_1": float(right[0]),
        "recall_at_5": float(any(right[:5])),
        "map_at_r": sum(p for p, rank in zip(precise, ranks, strict=True) if rank <= count) / count,
        "r_precision": sum(right[:count]) / count,
        "mean_average_precision": sum(precise) / count,
        "mean_reciprocal_rank": 1 / ranks[0],
    }


def _per_query(
    embedded: Sequence[EmbeddedImage], split: str, searched: Sequence[str] = ()
) -> dict[str, dict[str, float]]:
    gallery = [image for image in embedded if image.split.decode() in (searched or [split])]
    return {
        image.identity.decode(): _metrics(image, gallery)
        for image in embedded
        if image.split == split.encode()
    }


@pytest.mark.parametrize("place", [0, 1])
def test_metrics_and_changes_are_those_of_an_evaluation_by_hand(
    compared: Comparison, embedded: list[EmbeddedImage], other: list[EmbeddedImage], place: int
) -> None:
    split = compared.content["splits"][place]
    assert split["name"] == ("validation", "test")[place]
    was, now = (_per_query(run, split["name"]) for run in (embedded, other))
    assert split["queries"] == len(was) and split["only_here"] == [0, 0]
    changes = split["changes"][0]
    for name in next(iter(was.values())):
        one, two = (np.mean([values[name] for values in run.values()]) for run in (was, now))
        assert split["metrics"][name] == pytest.approx([one, two])
        found = changes["metrics"][name]
        assert found["value"] == pytest.approx(two - one)
        assert found["low"] <= found["value"] <= found["high"]
    hits = [(was[query]["recall_at_1"], now[query]["recall_at_1"]) for query in was]
    counted = [hits.count(pair) for pair in ((1, 1), (1, 0), (0, 1), (0, 0))]
    keys = ("both", "only_reference", "only_other", "neither")
    assert [changes["recall_at_1"][key] for key in keys] == counted
    assert sum(counted) == split["queries"]


def test_classes_are_those_of_the_queries(
    compared: Comparison, embedded: list[EmbeddedImage], other: list[EmbeddedImage]
) -> None:
    was, now = (_per_query(run, "test") for run in (embedded, other))
    classes = compared.content["splits"][1]["changes"][0]["classes"]
    assert {found["name"] for found in classes} == set(CLASS_NAMES)
    for found in classes:
        own = [i.identity.decode() for i in embedded
               if i.split == b"test" and i.class_name.decode() == found["name"]]  # fmt: skip
        assert found["queries"] == len(own)
        change = np.mean([now[query]["map_at_r"] - was[query]["map_at_r"] for query in own])
        assert found["change"]["map_at_r"]["value"] == pytest.approx(change)


def test_queries_that_changed_are_shown_with_what_each_run_finds(
    compared: Comparison, embedded: list[EmbeddedImage], other: list[EmbeddedImage]
) -> None:
    (queries,) = compared.content["queries"]
    was, now = (_per_query(run, "test") for run in (embedded, other))
    gained = {query: now[query]["map_at_r"] - was[query]["map_at_r"] for query in was}
    assert queries["better"] >= sum(gain > 1e-9 for gain in gained.values())
    assert queries["better"] + queries["worse"] + queries["same"] == len(was)
    best = [gained[row["id"]] for row in queries["most_better"]]
    assert best == sorted(best, reverse=True) and best[0] == max(gained.values()) > 0
    assert gained[queries["most_worse"][0]["id"]] == min(gained.values()) < 0
    assert len(queries["most_better"]) == min(SHOWN, queries["better"])
    row = queries["most_better"][0]
    for letter, run in (("A", embedded), ("B", other)):
        query = next(image for image in run if image.identity.decode() == row["id"])
        ranked = _ranking(query, [image for image in run if image.split == b"test"])[:6]
        shown = row["runs"][letter]["neighbours"]
        assert [found["id"] for found in shown] == [image.identity.decode() for image in ranked]
        assert [found["same"] for found in shown] == [
            image.class_name == query.class_name for image in ranked
        ]
        rank = row["runs"][letter]["first_relevant_rank"]
        ranks = (was if letter == "A" else now)[row["id"]]["mean_reciprocal_rank"]
        assert rank == round(1 / ranks)


def test_every_picture_that_is_named_is_there_once(compared: Comparison) -> None:
    (queries,) = compared.content["queries"]
    rows = queries["most_better"] + queries["most_worse"]
    named = {row["picture"] for row in rows} | {
        found["picture"]
        for row in rows
        for run in row["runs"].values()
        for found in run["neighbours"]
    }
    assert named == set(compared.pictures)
    for data in compared.pictures.values():
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.format == "WEBP"


def test_what_else_differs_is_told(compared: Comparison) -> None:
    content = compared.content
    assert [run["label"] for run in content["runs"]] == [OLDER, NEWER]
    assert [found["key"] for found in content["settings"]] == ["training.epochs"]
    trainer, embedder = content["components"]
    assert (trainer["same_code"], embedder["same_code"]) == (False, True)
    assert embedder["cached"] == [True, True] and trainer["seconds"] == [12.5, 12.5]
    assert [run["pushed_model"] for run in content["runs"]] == ["/models/flowers/7", None]
    assert content["cautions"] == [] and content["notes"] == []
    json.dumps(content, allow_nan=False)


def _numbers(content: dict[str, Any]) -> list[tuple[float, float, float]]:
    return [
        (found["value"], found["low"], found["high"])
        for split in content["splits"]
        for changes in split["changes"]
        for found in [
            *changes["metrics"].values(),
            *(change for c in changes["classes"] for change in c["change"].values()),
        ]
    ]


def test_a_run_against_itself_changes_nowhere(pair: tuple[pathlib.Path, pathlib.Path]) -> None:
    content = _compare(pair[0], pair[0]).content
    assert set(_numbers(content)) == {(0.0, 0.0, 0.0)}
    (queries,) = content["queries"]
    assert (queries["better"], queries["worse"]) == (0, 0)
    assert content["settings"] == []
    assert "B has the very embeddings of A" in content["notes"][0]


def test_swapping_the_runs_negates(
    pair: tuple[pathlib.Path, pathlib.Path], compared: Comparison
) -> None:
    back = _compare(pair[1], pair[0]).content
    for there, here in zip(compared.content["splits"], back["splits"], strict=True):
        one, other = there["changes"][0], here["changes"][0]
        for name, found in one["metrics"].items():
            turned = other["metrics"][name]
            assert found["value"] == pytest.approx(-turned["value"])
            assert (found["low"], found["high"]) == pytest.approx((-turned["high"], -turned["low"]))
    (one,), (other,) = compared.content["queries"], back["queries"]
    assert [row["id"] for row in one["most_better"]] == [row["id"] for row in other["most_worse"]]


def test_several_runs_are_each_compared_with_the_first(
    pair: tuple[pathlib.Path, pathlib.Path], compared: Comparison
) -> None:
    content = _compare(pair[0], pair[1], pair[0]).content
    assert [run["letter"] for run in content["runs"]] == ["A", "B", "C"]
    changes = content["splits"][1]["changes"]
    assert changes[0] == compared.content["splits"][1]["changes"][0]
    assert changes[1]["metrics"]["map_at_r"]["value"] == 0
    assert any("not corrected for multiple comparisons" in note for note in content["notes"])


def _renamed(embedded: Sequence[EmbeddedImage], prefix: bytes) -> list[EmbeddedImage]:
    return [image._replace(identity=prefix + image.identity) for image in embedded]


def test_only_common_queries_count(
    tmp_path: pathlib.Path, embedded: list[EmbeddedImage], other: list[EmbeddedImage]
) -> None:
    left = [image for image in embedded if image.split == b"test"][:3]
    gone = {image.identity for image in left}
    content = _compare(
        write_run(tmp_path / "one", [i for i in embedded if i.identity not in gone]),
        write_run(tmp_path / "two", other),
    ).content
    validation, test = content["splits"]
    assert validation["only_here"] == [0, 0] and test["only_here"] == [0, 3]
    assert test["queries"] == len([i for i in embedded if i.split == b"test"]) - 3
    now = _per_query(other, "test")
    mean = np.mean([now[query]["map_at_r"] for query in now if query.encode() not in gone])
    assert test["metrics"]["map_at_r"][1] == pytest.approx(mean)
    assert content["notes"] == [
        "test: queries that not all runs have, and that are not counted: 3 of B"
    ]
    # Queries are easier or harder where there are fewer images to mistake for theirs.
    (caution,) = content["cautions"]
    assert "test: A and B search different images (25 and 28, 25 of them in common)" in caution


def test_runs_without_common_queries_are_refused(
    tmp_path: pathlib.Path, embedded: list[EmbeddedImage]
) -> None:
    one = write_run(tmp_path / "one", embedded)
    two = write_run(tmp_path / "two", _renamed(embedded, b"new "))
    with pytest.raises(NotComparableError, match="no query of the split validation in common.*new"):
        _compare(one, two)


def test_queries_of_another_class_are_refused(
    tmp_path: pathlib.Path, embedded: list[EmbeddedImage]
) -> None:
    named = next(image for image in embedded if image.split == b"test")
    changed = [
        image._replace(class_name=b"weed") if image is named else image for image in embedded
    ]
    one, two = write_run(tmp_path / "one", embedded), write_run(tmp_path / "two", changed)
    with pytest.raises(NotComparableError) as raised:
        _compare(one, two)
    assert f"{named.identity.decode()} is weed, not {named.class_name.decode()}" in str(
        raised.value
    )
    assert "1 of 28 common queries of the split test" in str(raised.value)


def test_labels_are_the_runs_own_but_class_names_are_not(
    tmp_path: pathlib.Path, embedded: list[EmbeddedImage]
) -> None:
    shifted = [image._replace(label=image.label + 1) for image in embedded]
    content = _compare(
        write_run(tmp_path / "one", embedded), write_run(tmp_path / "two", shifted)
    ).content
    assert set(_numbers(content)) == {(0.0, 0.0, 0.0)}


def test_another_protocol_is_followed_and_cautioned_of(
    tmp_path: pathlib.Path, embedded: list[EmbeddedImage]
) -> None:
    content = _compare(
        write_run(tmp_path / "one", embedded),
        write_run(
            tmp_path / "two", embedded, overrides=["evaluation.gallery_splits=[train, validation]"]
        ),
    ).content
    now = _per_query(embedded, "test", ["train", "validation"])
    mean = np.mean([values["map_at_r"] for values in now.values()])
    assert content["splits"][1]["metrics"]["map_at_r"][1] == pytest.approx(mean)
    assert "different protocols" in content["cautions"][0]
    assert "B searched in train and validation" in content["cautions"][0]
    assert content["runs"][1]["gallery_splits"] == ["train", "validation"]
    assert any("search different images" in caution for caution in content["cautions"][1:])


def test_near_duplicates_that_were_left_out_take_no_part(
    tmp_path: pathlib.Path, embedded: list[EmbeddedImage], other: list[EmbeddedImage]
) -> None:
    copy = next(image for image in embedded if image.split == b"test")
    options: dict[str, Any] = {
        "overrides": ["evaluation.near_duplicates=leave_out"],
        "near_duplicates": [copy.identity.decode()],
    }
    content = _compare(
        write_run(tmp_path / "one", embedded, **options),
        write_run(tmp_path / "two", other, **options),
    ).content
    assert content["cautions"] == []
    kept = [image for image in other if image is not copy and image.identity != copy.identity]
    mean = np.mean([values["map_at_r"] for values in _per_query(kept, "test").values()])
    assert content["splits"][1]["metrics"]["map_at_r"][1] == pytest.approx(mean)


def test_equal_ids_of_other_pictures_are_cautioned_of(
    tmp_path: pathlib.Path, embedded: list[EmbeddedImage]
) -> None:
    def coloured(image: EmbeddedImage, mode: str, **options: Any) -> EmbeddedImage:
        with Image.open(io.BytesIO(image.thumbnail)) as picture:
            changed = picture.resize(options.pop("size", picture.size))
        if mode == "negative":
            changed = changed.point(lambda value: 255 - value)
        file = io.BytesIO()
        changed.save(file, "jpeg", **options)
        return image._replace(thumbnail=file.getvalue())

    one = write_run(tmp_path / "one", embedded)
    smaller = [coloured(image, "same", size=(27, 20), quality=60) for image in embedded]
    assert _compare(one, write_run(tmp_path / "two", smaller)).content["cautions"] == []
    negative = [coloured(image, "negative") for image in embedded]
    cautions = _compare(one, write_run(tmp_path / "three", negative)).content["cautions"]
    assert len(cautions) == 2
    assert "images of the same id are not the same picture in A and B" in cautions[0]


def test_a_split_that_a_run_has_not_embedded_is_left_out(
    tmp_path: pathlib.Path, embedded: list[EmbeddedImage]
) -> None:
    without = [image for image in embedded if image.split != b"test"]
    content = _compare(
        write_run(tmp_path / "one", embedded), write_run(tmp_path / "two", without)
    ).content
    assert [split["name"] for split in content["splits"]] == ["validation"]
    assert content["subject"] == "validation"
    assert content["notes"] == ["test is not compared: B has not embedded it"]
    train = [image for image in embedded if image.split == b"train"]
    with pytest.raises(NotComparableError, match="no split of validation and test"):
        _compare(write_run(tmp_path / "three", train), write_run(tmp_path / "four", embedded))


def test_a_gallery_that_was_not_embedded_is_named(
    tmp_path: pathlib.Path, embedded: list[EmbeddedImage]
) -> None:
    without = [image for image in embedded if image.split != b"train"]
    searched = ["evaluation.gallery_splits=[train]"]
    one = write_run(tmp_path / "one", embedded, overrides=searched)
    two = write_run(tmp_path / "two", without, overrides=searched)
    with pytest.raises(NotComparableError, match="run two@.* no image of the split train"):
        _compare(one, two)


def test_queries_without_anything_to_find_are_counted_apart(tmp_path: pathlib.Path) -> None:
    alone = [
        image._replace(class_name=b"alone") if place == 50 else image
        for place, image in enumerate(images())
    ]
    assert alone[50].split == b"test"
    content = _compare(
        write_run(tmp_path / "one", alone), write_run(tmp_path / "two", shaken(alone))
    ).content
    assert content["splits"][1]["without_relevant"] == 1
    assert content["splits"][1]["queries"] == 27
    assert content["notes"][0].endswith("to find in some run, and are not counted: 1")


def test_what_is_gone_is_named(tmp_path: pathlib.Path, embedded: list[EmbeddedImage]) -> None:
    folder = write_run(tmp_path / "one", embedded)
    artifacts = tmp_path / "one" / "artifacts"
    moved = artifacts.rename(tmp_path / "moved")
    with pytest.raises(LineageError, match=r"the embeddings of run .* are gone"):
        _compare(folder, folder)
    moved.rename(artifacts)
    (folder / "settings.yaml").unlink()
    with pytest.raises(RunNotFoundError, match=r"settings\.yaml"):
        _compare(folder, folder)


def test_labels_are_as_short_as_they_can_be(
    tmp_path: pathlib.Path, embedded: list[EmbeddedImage]
) -> None:
    few = embedded[-14:]
    places = [tmp_path / "x" / "one", tmp_path / "x" / "two", tmp_path / "y" / "one"]
    one, two, far = (find_run(str(write_run(place, few))) for place in places)
    later = find_run(str(write_run(places[0], few, name=NEWER)))
    assert run_labels([one, later]) == [one.name, NEWER]
    assert run_labels([one, two]) == [f"one@{one.name}", f"two@{one.name}"]
    assert run_labels([one, far]) == [f"{place}@{one.name}" for place in (places[0], places[2])]
    assert run_labels([one, one]) == [one.name, one.name]
