"""What is said of centers, and when training is stopped."""

from __future__ import annotations

import itertools
import pathlib
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.settings_loader import load_settings
from trainer_module.checkpoints import CheckpointFolder, Progress, SaveEveryEpoch
from trainer_module.config import TrainingConfig, from_dict
from trainer_module.health import (
    COLLAPSED,
    StopOnBadLoss,
    StopOnBadWeights,
    StopOnCollapse,
    TrainingDivergedError,
    _smallest_distance,
    center_health,
)
from trainer_module.joint_loss import JointLoss
from trainer_module.validation import RetrievalValidation


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
    callback = StopOnBadLoss()
    callback.on_epoch_begin(2)
    callback.on_epoch_end(2, {"loss": 1.0, "center_loss": 0.1, "center_norm": float("nan")})
    with pytest.raises(
        TrainingDivergedError,
        match=r"in epoch 3: center_loss, loss are no finite number; lower training.learning_rate.*"
        r"the checkpoint after epoch 2 is kept",
    ):
        callback.on_epoch_end(2, {"loss": float("nan"), "center_loss": float("inf")})


def test_a_loss_that_is_no_number_stops_within_the_epoch() -> None:
    callback = StopOnBadLoss()
    callback.on_epoch_begin(0)
    with pytest.raises(TrainingDivergedError, match=r"by step 8 of epoch 1.*no epoch had been"):
        callback.on_train_batch_end(7, {"loss": float("nan")})


def test_classes_that_fall_together_are_told_with_their_cause() -> None:
    callback = StopOnCollapse()
    callback.on_epoch_end(4, {"loss": 1.0, "val_between_classes": 2 * COLLAPSED})
    with pytest.raises(
        TrainingDivergedError, match=r"collapsed in epoch 5.*lower training.center_loss.weight"
    ):
        callback.on_epoch_end(4, {"loss": 1.0, "val_between_classes": COLLAPSED / 2})


def test_center_loss_alone_collapses_and_is_stopped() -> None:
    """Section 3.3 of Wen et al.: without a classification loss all features go to zero."""
    overrides = ["training.cross_entropy_weight=0", "training.center_loss.normalize=false"]
    settings = load_settings("demo", [*overrides, "training.center_loss.warmup_epochs=0"])
    config = from_dict(TrainingConfig, settings.training.model_dump())

    class Linear(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.body = keras.layers.Dense(3, use_bias=False)
            self.joint_loss = JointLoss(config, 4)
            self.body.build((None, 8))
            self.joint_loss.build((None, 3))
            self.built = True

        def pooled(self, x: Any) -> Any:
            return x

        def compared(self, x: Any) -> Any:
            return self.body(x)

        def call(self, x: Any, training: bool = False) -> Any:
            return self.body(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return self.joint_loss(y_pred, keras.ops.zeros((16, 4)), y, training=training)

    keras.utils.set_random_seed(0)
    model = Linear()
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    x = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    batches = tf.data.Dataset.from_tensor_slices((x, np.arange(64) % 4)).batch(16)
    callbacks = [StopOnBadLoss(), RetrievalValidation(batches), StopOnCollapse()]
    with pytest.raises(TrainingDivergedError, match=r"collapsed in epoch \d+: centers have shrunk"):
        model.fit(batches, epochs=200, verbose=0, callbacks=callbacks)


def test_weights_spoilt_by_the_last_step_of_an_epoch_are_never_saved(
    tmp_path: pathlib.Path,
) -> None:
    """The losses are of before that step, and finite."""

    class Spoil(keras.callbacks.Callback):
        epoch = 0

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch = epoch

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if self.epoch == 1 and batch == 3:
                kernel = self.model.layers[0].kernel
                kernel.assign(keras.ops.where(keras.ops.abs(kernel) > 0.1, np.nan, kernel))

    def training() -> keras.Model:
        model = keras.Sequential([keras.Input([8]), keras.layers.Dense(3)])
        model.compile(keras.optimizers.Adam(0.01), "mse")
        model.optimizer.build(model.trainable_variables)
        return model

    x = np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32)
    folder, progress, model = CheckpointFolder(tmp_path), Progress(), training()
    save = SaveEveryEpoch(folder, progress, "loss")
    with pytest.raises(
        TrainingDivergedError,
        match=r"in epoch 2: 1 of 2 weights \(.*kernel\) have values.*after epoch 1 is kept",
    ):
        model.fit(
            x,
            x[:, :3],
            batch_size=4,
            epochs=5,
            verbose=0,
            callbacks=[StopOnBadLoss(), Spoil(), StopOnBadWeights(), save],
        )
    # Training goes on, and ends, with what is kept.
    again = training()
    found = folder.restore(again)
    assert (found.epoch, found.best_epoch) == (1, 1)
    assert all(np.isfinite(weight).all() for weight in again.get_weights())
    folder.load_best(again, found)
