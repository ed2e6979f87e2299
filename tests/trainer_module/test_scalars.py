"""What TensorBoard gets of a training, read back from its event files."""

from __future__ import annotations

import math
import pathlib
import types
from typing import Any

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from trainer_module.scalars import LogScalars, tag

FIRST = {"loss": 3.0, "center_loss": 0.5, "val_map_at_r": 0.25, "center_norm": 0.75}
SECOND = {"loss": 2.0, "center_loss": 0.25, "val_map_at_r": 0.5, "center_norm": 0.875}


def _read(folder: pathlib.Path) -> dict[str, list[tuple[int, float]]]:
    """Points by tag."""
    reader = EventAccumulator(str(folder), {"tensors": 0})
    reader.Reload()
    return {
        name: [(event.step, float(tf.make_ndarray(event.tensor_proto))) for event in events]
        for name in reader.Tags()["tensors"]
        for events in [reader.Tensors(name)]
    }


def _log(folder: pathlib.Path, finished: list[Any], epochs: dict[int, dict[str, float]]) -> None:
    callback = LogScalars(str(folder), finished)
    optimizer = types.SimpleNamespace(learning_rate=tf.Variable(0.125))
    callback.set_model(types.SimpleNamespace(optimizer=optimizer))
    callback.on_train_begin()
    for epoch, logs in epochs.items():
        callback.on_epoch_end(epoch, logs)
    callback.on_train_end()


def test_each_epoch_is_a_point_in_its_group(tmp_path: pathlib.Path) -> None:
    _log(tmp_path, [], {0: FIRST, 1: SECOND})
    assert _read(tmp_path) == {
        "loss/total": [(1, 3.0), (2, 2.0)],
        "loss/center": [(1, 0.5), (2, 0.25)],
        "validation/map_at_r": [(1, 0.25), (2, 0.5)],
        "centers/norm": [(1, 0.75), (2, 0.875)],
        "training/learning_rate": [(1, 0.125), (2, 0.125)],
    }


def test_a_training_that_goes_on_has_the_epochs_before_too(tmp_path: pathlib.Path) -> None:
    _log(tmp_path, [FIRST], {1: SECOND})
    read = _read(tmp_path)
    assert read["loss/total"] == [(1, 3.0), (2, 2.0)]
    assert read["training/learning_rate"] == [(2, 0.125)]


def test_what_is_no_number_is_no_point(tmp_path: pathlib.Path) -> None:
    _log(tmp_path, [], {0: {**FIRST, "center_distance_min": math.nan}, 1: SECOND})
    assert "centers/smallest_distance" not in _read(tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("triplet_loss", "loss/triplet"),
        ("accuracy", "training/accuracy"),
        ("val_intra_inter", "validation/intra_inter"),
        ("center_distance_min", "centers/smallest_distance"),
        ("something_new", "training/something_new"),
    ],
)
def test_names_say_what_a_value_is_of(name: str, expected: str) -> None:
    assert tag(name) == expected
