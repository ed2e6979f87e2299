"""What is said of centers, and when training is stopped."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipeline.settings_loader import load_settings
from trainer_module.config import TrainingConfig, from_dict
from trainer_module.health import (
    COLLAPSED,
    StopWhenDiverged,
    TrainingDivergedError,
    _smallest_distance,
    center_health,
)
from trainer_module.joint_loss import JointLoss


def _loss(normalize: bool) -> JointLoss:
    settings = load_settings("demo", [f"training.center_loss.normalize={str(normalize).lower()}"])
    loss = JointLoss(from_dict(TrainingConfig, settings.training.model_dump()), 6)
    loss.build((None, 3))
    return loss


@pytest.mark.parametrize("normalize", [True, False])
def test_centers_are_measured_as_the_loss_compares_them(normalize: bool) -> None:
    loss = _loss(normalize)
    features = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    loss.center_loss(features, np.arange(20) % 5, training=True)  # the last class has no center
    centers = np.asarray(loss.center_loss.centers, np.float64)[:5]
    lengths = np.linalg.norm(centers, axis=1)
    points = centers / lengths[:, None] if normalize else centers
    smallest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(points, 2))
    health = center_health(loss)
    assert health["center_norm"] == pytest.approx(lengths.mean())
    assert health["center_distance_min"] == pytest.approx(smallest)


def test_without_centers_there_is_nothing_to_say() -> None:
    assert np.isnan(list(center_health(_loss(True)).values())).all()


def test_the_smallest_distance_is_found_across_blocks() -> None:
    points = np.random.default_rng(0).normal(size=(50, 4))
    points[41] = points[3] + 1e-3
    assert _smallest_distance(points, block=8) == pytest.approx(2e-3)
    assert np.isnan(_smallest_distance(points[:1]))


def test_a_loss_that_is_no_number_is_named_with_what_is_kept() -> None:
    callback = StopWhenDiverged()
    callback.on_epoch_begin(2)
    callback.on_epoch_end(2, {"loss": 1.0, "center_loss": 0.1, "center_norm": float("nan")})
    with pytest.raises(
        TrainingDivergedError,
        match=r"in epoch 3: center_loss, loss are no finite number; lower training.learning_rate.*"
        r"the checkpoint after epoch 2 is kept",
    ):
        callback.on_epoch_end(2, {"loss": float("nan"), "center_loss": float("inf")})


def test_a_loss_that_is_no_number_stops_within_the_epoch() -> None:
    callback = StopWhenDiverged()
    callback.on_epoch_begin(0)
    with pytest.raises(TrainingDivergedError, match=r"by step 8 of epoch 1.*no epoch had been"):
        callback.on_train_batch_end(7, {"loss": float("nan")})


def test_a_collapse_is_told_with_its_cause() -> None:
    callback = StopWhenDiverged()
    callback.on_epoch_begin(4)
    callback.on_epoch_end(4, {"loss": 1.0, "val_between_classes": 2 * COLLAPSED})
    with pytest.raises(
        TrainingDivergedError, match=r"collapsed in epoch 5.*lower training.center_loss.weight"
    ):
        callback.on_epoch_end(4, {"loss": 1.0, "val_between_classes": COLLAPSED / 2})
