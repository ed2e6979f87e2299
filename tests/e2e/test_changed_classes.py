"""A folder of photos whose classes change between two runs, one of them with a single photo."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from pipeline.local_runner import RunResult, run
from pipeline.settings_loader import load_settings

# Two whole runs: for `make test-all`.
pytestmark = [pytest.mark.e2e, pytest.mark.extended]


class Runs(NamedTuple):
    workdir: pathlib.Path
    first: RunResult
    second: RunResult


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory,
    tiny: tuple[str, ...],
    make_photo: Callable[..., bytes],
) -> Runs:
    """Classes a, b, c; then a, B (renamed), d (new, one photo), and c is gone."""
    root = tmp_path_factory.mktemp("changed")
    photos = root / "photos"
    for number in range(36):
        path = photos / "abc"[number % 3] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make_photo(number))
    settings = load_settings("demo", [*tiny, f"data.folder={photos}"])
    first = run(settings, root / "workdir", preset="demo")
    (photos / "b").rename(photos / "B renamed")
    for photo in (photos / "c").iterdir():
        photo.unlink()
    (photos / "c").rmdir()
    (photos / "d").mkdir()
    (photos / "d" / "only.jpg").write_bytes(make_photo(99))
    return Runs(root / "workdir", first, run(settings, root / "workdir", preset="demo"))


def _class_names(version: str) -> set[str]:
    import tensorflow as tf

    model = tf.saved_model.load(version)
    pixels = tf.io.encode_png(tf.zeros([30, 30, 3], tf.uint8))
    found = model.signatures["classify_image"](image_bytes=pixels[tf.newaxis])
    return {name.decode() for name in found["class_names"].numpy()[0]}


def test_the_new_model_has_the_new_classes_and_the_old_one_the_old(runs: Runs) -> None:
    first, second = runs.first.summary, runs.second.summary
    assert first["status"] == second["status"] == "succeeded"
    assert _class_names(first["pushed_model"]) == {"a", "b", "c"}
    assert _class_names(second["pushed_model"]) == {"a", "B renamed", "d"}


def test_nothing_was_taken_from_the_cache_or_a_checkpoint(runs: Runs) -> None:
    assert not any(step["cached"] for step in runs.second.summary["components"])
    # Whose checkpoints a training takes: tests/trainer_module/test_trainer.py.
    assert runs.second.summary["training"]["epochs"] == 2
    assert list((runs.workdir / "checkpoints").iterdir()) == []


def test_the_models_are_compared_on_the_new_data(runs: Runs) -> None:
    second = runs.second.summary
    assert second["blessed"] and runs.first.summary["difference_to_baseline"] == {}
    difference = second["difference_to_baseline"]["recall_at_1"]["value"]
    assert -1.0 <= difference <= 1.0
    assert second["images"] == {"train": 17, "validation": 4, "test": 4}


def test_only_photos_that_are_there_are_found(runs: Runs) -> None:
    from components.similarity_indexer.gallery_ids import gallery_images

    found = gallery_images(runs.second.summary["pushed_model"])
    assert set(found.values()) == {"a", "B renamed", "d"}
    assert found["d/only.jpg"] == "d"
    assert not any(identity.startswith(("b/", "c/")) for identity in found)


def test_a_class_with_one_photo_is_trained_and_shown_and_measured_nowhere(runs: Runs) -> None:
    second = runs.second.summary
    # Its photo is for training: none of the class is a query.
    assert second["metrics"]["validation"]["example_count"] == 4
    report = pathlib.Path(second["report"]).read_text("utf-8")
    assert "B renamed" in report
    card = json.loads(pathlib.Path(second["report"]).with_name("model_card.json").read_text())
    assert isinstance(card, dict) and card


def test_the_runs_can_be_compared(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.cli import main

    names: list[Any] = [
        f"{runs.workdir}@{result.summary['name']}" for result in (runs.first, runs.second)
    ]
    assert main(["compare", *names]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "A and B search different images" in printed
