"""The sum of the losses, its warm-up, and what a weight of 0 means."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.settings_loader import load_settings
from trainer_module.center_loss import CenterLoss
from trainer_module.config import TrainingConfig, from_dict
from trainer_module.joint_loss import JointLoss
from trainer_module.losses import softmax_cross_entropy
from trainer_module.triplet_loss import triplet_loss

C, D, B = 5, 4, 12


def config(*overrides: str) -> TrainingConfig:
    settings = load_settings("demo", [f"training.{item}" for item in overrides])
    return from_dict(TrainingConfig, settings.training.model_dump())


def built(*overrides: str, steps_per_epoch: int = 1) -> JointLoss:
    layer = JointLoss(config(*overrides), C, steps_per_epoch=steps_per_epoch)
    layer.build((None, D))
    return layer


def batch(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(B, D)).astype(np.float32)
    return features, rng.normal(size=(B, C)).astype(np.float32), rng.integers(0, C, B)


def test_it_is_the_weighted_sum_of_the_losses() -> None:
    joint = built(
        "cross_entropy_weight=0.5", "center_loss.weight=2", "center_loss.warmup_epochs=0",
        "triplet.weight=3", "triplet.margin=0.7", "triplet.mining=semi_hard",
        "images_per_class=4", "label_smoothing=0.2", "center_loss.momentum=0.6",
    )  # fmt: skip
    center = CenterLoss(C, momentum=0.6)
    center.build((None, D))
    for seed in range(4):
        features, logits, labels = batch(seed)
        expected = (
            0.5 * softmax_cross_entropy(labels, logits, label_smoothing=0.2)
            + 2 * center(features, labels, training=True)
            + 3 * triplet_loss(features, labels, margin=0.7, mining="semi_hard")
        )
        got = joint(features, logits, labels, training=True)
        assert float(got) == pytest.approx(float(expected), rel=1e-6)
    assert set(joint.trackers) == {
        "classification_loss", "center_loss", "triplet_loss", "accuracy"
    }  # fmt: skip


def test_the_center_loss_is_warmed_up_step_by_step() -> None:
    joint = built("center_loss.weight=2", "center_loss.warmup_epochs=2", steps_per_epoch=2)
    weights = []
    for seed in range(6):
        weights.append(float(joint.center_weight))
        joint(*batch(seed), training=True)
        joint(*batch(seed))  # evaluation is no step
    assert weights == [0.0, 0.5, 1.0, 1.5, 2.0, 2.0]


def _trained(*overrides: str) -> list[np.ndarray]:
    """Weights of a small head after some steps on the joint loss."""
    keras.utils.set_random_seed(0)
    joint = built(*overrides)
    head = tf.Variable(np.random.default_rng(1).normal(size=(D, C)).astype(np.float32))
    body = tf.Variable(np.random.default_rng(2).normal(size=(D, D)).astype(np.float32))
    optimizer = keras.optimizers.AdamW(0.05)

    @tf.function
    def step(x: tf.Tensor, y: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            features = x @ body
            loss = joint(features, features @ head, y, training=True)
        optimizer.apply(tape.gradient(loss, [body, head]), [body, head])

    for seed in range(5):
        features, _, labels = batch(seed)
        step(tf.constant(features), tf.constant(labels))
    return [body.numpy(), head.numpy()]


def test_weight_zero_trains_bit_for_bit_as_without_the_center_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_zero = _trained("center_loss.weight=0")
    with_one = _trained("center_loss.weight=1", "center_loss.warmup_epochs=0")
    monkeypatch.setattr(CenterLoss, "call", lambda *_, **__: tf.constant(0.0))
    without = _trained("center_loss.weight=0")
    for a, b, c in zip(with_zero, without, with_one, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_metrics_of_the_parts_are_means_over_steps() -> None:
    joint = built()
    values = []
    for seed in range(3):
        features, logits, labels = batch(seed)
        values.append(float(softmax_cross_entropy(labels, logits, label_smoothing=0.1)))
        joint(features, logits, labels, training=True)
    assert float(joint.trackers["classification_loss"].result()) == pytest.approx(np.mean(values))
    assert {metric.name for metric in joint.metrics} == set(joint.trackers)
