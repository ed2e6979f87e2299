"""A real TensorBoard, asked over HTTP for what was put in."""

from __future__ import annotations

import io
import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.run_records import find_run
from pipeline.tensorboard.log_folder import link_only, prepare
from tests.pipeline.tensorboard.conftest import CLASS_NAMES, Workdir

FIRST, SECOND, THIRD = "20260101-100000", "20260102-100000", "20260103-100000"


def _until(ask: Callable[[], Any], is_there: Callable[[Any], bool]) -> Any:
    """TensorBoard reads its folder in the background."""
    deadline = time.monotonic() + 60
    while not is_there(answer := ask()):
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)
    return answer


@pytest.fixture
def ask(two_trainings: Workdir, serve: Callable) -> Callable[..., Any]:
    prepare(two_trainings.root)
    asked = serve(two_trainings.root / "tensorboard")
    _until(lambda: asked("scalars/tags"), lambda tags: {FIRST, THIRD} <= set(tags))
    return asked


def test_scalars_are_those_of_the_trainer(two_trainings: Workdir, ask: Callable[..., Any]) -> None:
    tags = ask("scalars/tags")
    # The second run has the first one's training, and HParams' own file no scalar.
    assert set(tags) == {FIRST, THIRD}
    for run, training in ((FIRST, "1"), (THIRD, "2")):
        for name, values in two_trainings.scalars[training].items():
            points = ask("scalars/scalars", run=run, tag=name)
            assert [(step, value) for _, step, value in points] == [
                (number, pytest.approx(value)) for number, value in enumerate(values, start=1)
            ]
    assert {name.split("/")[0] for name in tags[FIRST]} == {
        *("centers", "evaluation", "loss", "training", "validation")
    }


def test_hparams_has_what_differs_and_the_final_metrics(ask: Callable[..., Any]) -> None:
    experiment = ask("hparams/experiment", body={"experimentName": "", "hparamsLimit": 0})
    # The first training is the latest run's that has it, which asked for other ks.
    assert {column["name"] for column in experiment["hparamInfos"]} == {
        "evaluation.ks",
        "training.learning_rate",
        "training.precision",
    }
    assert all(column["differs"] for column in experiment["hparamInfos"])
    metrics = [column["name"] for column in experiment["metricInfos"]]
    wanted = {
        "allowedStatuses": ["STATUS_SUCCESS", "STATUS_UNKNOWN", "STATUS_RUNNING"],
        "colParams": [{"metric": name} for name in metrics],
        "sliceSize": 10,
    }
    groups = ask("hparams/session_groups", body=wanted)["sessionGroups"]
    found = {
        group["name"]: (
            group["hparams"]["training.learning_rate"],
            group["hparams"]["training.precision"],
            {value["name"]["tag"]: value["value"] for value in group["metricValues"]},
        )
        for group in groups
    }
    assert found[THIRD] == (
        0.01,
        "float32",
        {
            "evaluation/test_recall_at_1": 0.75,
            "evaluation/test_map_at_r": 0.375,
            "evaluation/validation_recall_at_1": 0.1875,
            "evaluation/validation_map_at_r": 0.09375,
        },
    )
    assert found[FIRST][2]["evaluation/test_recall_at_1"] == 0.625
    assert set(found) == {FIRST, THIRD}


def test_the_projector_has_vectors_names_and_pictures(
    two_trainings: Workdir, ask: Callable[..., Any]
) -> None:
    assert sorted(ask("projector/runs")) == [FIRST, THIRD]
    (shown,) = ask("projector/info", run=FIRST)["embeddings"]
    vectors = two_trainings.vectors["1"]
    assert shown["tensorShape"] == list(vectors.shape)
    which = {"run": FIRST, "name": shown["tensorName"]}
    table = ask("projector/metadata", raw=True, **which).decode()
    header, *rows = [line.split("\t") for line in table.rstrip("\n").split("\n")]
    assert header == ["class", "class_number", "id", "split", "nearest_class", "nearest_is"]
    order = [int(row[header.index("id")]) for row in rows]
    assert sorted(order) == list(range(len(vectors)))

    served = np.frombuffer(ask("projector/tensor", raw=True, **which), np.float32)
    np.testing.assert_array_equal(served.reshape(vectors.shape), vectors[order])

    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2.0)
    cells = dict(
        zip(CLASS_NAMES, ["two words", "two lines", "<b>rose</b>", "-", "Ёлка"], strict=True)
    )
    for number, row in zip(order, rows, strict=True):
        name = CLASS_NAMES[number % len(CLASS_NAMES)]
        nearest = CLASS_NAMES[int(cosines[number].argmax()) % len(CLASS_NAMES)]
        assert row == [
            cells[name],
            str(sorted(CLASS_NAMES).index(name)),
            f"{number:03}",
            "train" if number % 3 else "test",
            cells[nearest],
            "right" if nearest == name else "wrong",
        ]

    sheet = Image.open(io.BytesIO(ask("projector/sprite_image", raw=True, **which)))
    width, height = shown["sprite"]["singleImageDim"]
    for place, number in enumerate(order):
        row, column = divmod(place, sheet.width // width)
        middle = sheet.getpixel((column * width + width // 2, row * height + height // 2))
        assert middle == pytest.approx((10 * number, 0, 255 - 10 * number), abs=6)


def test_only_the_wanted_training_is_shown(
    two_trainings: Workdir, serve: Callable, tmp_path: pathlib.Path
) -> None:
    wanted = find_run(SECOND, two_trainings.root)
    prepared = prepare(two_trainings.root, [wanted])
    view = tmp_path / "view"
    view.mkdir()
    link_only(prepared, view)
    asked = serve(view)
    tags = _until(lambda: asked("scalars/tags"), lambda found: FIRST in found)
    assert set(tags) == {FIRST}
    assert asked("projector/runs") == [FIRST]
    # There is nothing to compare with: all of model and training is shown.
    columns = asked("hparams/experiment", body={"experimentName": "", "hparamsLimit": 0})
    names = {column["name"] for column in columns["hparamInfos"]}
    assert "training.learning_rate" in names and "model.backbone" in names
    assert all(name.startswith(("model.", "training.")) for name in names)
