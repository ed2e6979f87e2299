"""Which trainings may go on with each other's checkpoints."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from trainer_module.trainer import _training_key


def _arguments(**changes: Any) -> Any:
    """Of TFX's arguments, those that a training is named by."""
    given: dict[str, Any] = {
        "custom_config": {"config": {"training": {"epochs": 2}}, "code": "1", "checkpoints": "/c"},
        "train_files": ["/transformed/7/Split-train/b.gz", "/transformed/7/Split-train/a.gz"],
        "eval_files": ["/transformed/7/Split-validation/a.gz"],
        "transform_output": "/graph/7",
    }
    return SimpleNamespace(**{**given, **changes})


def test_the_same_training_goes_on_in_whatever_order_its_files_are_listed() -> None:
    files = sorted(_arguments().train_files)
    assert _training_key(_arguments(train_files=files)) == _training_key(_arguments())


@pytest.mark.parametrize(
    "changes",
    [
        {"custom_config": {"config": {"training": {"epochs": 3}}, "code": "1"}},
        {"custom_config": {"config": {"training": {"epochs": 2}}, "code": "2"}},
        # What a changed dataset, with other classes, comes to.
        {"transform_output": "/graph/8"},
        {"train_files": ["/transformed/8/Split-train/a.gz"]},
        {"eval_files": ["/transformed/8/Split-validation/a.gz"]},
    ],
    ids=["settings", "code", "classes", "training_images", "validation_images"],
)
def test_another_training_begins_anew(changes: dict[str, Any]) -> None:
    assert _training_key(_arguments(**changes)) != _training_key(_arguments())
