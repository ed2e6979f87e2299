"""Softmax cross-entropy and the cosine head against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.losses import CosineClassifier, softmax_cross_entropy


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_follows_its_formula(smoothing: float) -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(6, 4)) * 5, rng.integers(0, 4, 6)
    weights = np.array([1.0, 2.0, 0.0, 1.0, 0.5, 3.0])
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    q = (1 - smoothing) * np.eye(4)[labels] + smoothing / 4
    expected = (weights * -(q * np.log(p)).sum(axis=1)).sum() / weights.sum()
    got = softmax_cross_entropy(
        labels, np.float32(logits), label_smoothing=smoothing, sample_weight=np.float32(weights)
    )
    assert float(got) == pytest.approx(expected, rel=1e-6)


def test_rows_of_weight_zero_may_hold_anything() -> None:
    logits = np.array([[1.0, 2.0], [np.nan, 0.0]], np.float32)
    got = softmax_cross_entropy([0, 1], logits, sample_weight=np.array([1, 0], np.float32))
    assert float(got) == pytest.approx(np.log1p(np.exp(1.0)), rel=1e-6)


def test_logits_are_scaled_cosines_whatever_the_lengths() -> None:
    head = CosineClassifier(3, scale=8.0)
    features = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    logits = head(features).numpy()
    w = head.kernel.numpy()
    cosines = (features / np.linalg.norm(features, axis=1, keepdims=True)) @ (
        w / np.linalg.norm(w, axis=0)
    )
    np.testing.assert_allclose(logits, 8.0 * cosines, atol=1e-5)
    np.testing.assert_allclose(head(100 * features), logits, atol=1e-4)


def test_head_is_float32_under_mixed_precision_and_keeps_its_configuration() -> None:
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        head = CosineClassifier(3, scale=8.0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert head(tf.ones((2, 4), tf.bfloat16)).dtype == tf.float32
    copy = CosineClassifier.from_config(head.get_config())
    assert (copy.num_classes, copy.scale) == (3, 8.0)


@pytest.mark.parametrize("options", [{"num_classes": 1}, {"num_classes": 3, "scale": 0.0}])
def test_arguments_out_of_range(options: dict) -> None:
    with pytest.raises(ValueError, match="must be"):
        CosineClassifier(**options)
