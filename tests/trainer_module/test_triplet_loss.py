"""The triplet loss against loops over all triplets in float64."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.triplet_loss import squared_distances, triplet_loss

MARGIN = 0.3


def oracle(
    features: np.ndarray, labels: np.ndarray, mining: str, normalize: bool, known: np.ndarray
) -> float:
    """The definition, one triplet after the other."""
    f = features.astype(np.float64)
    if normalize:
        f = f / np.linalg.norm(f, axis=1, keepdims=True)
    d = ((f[:, None] - f[None]) ** 2).sum(axis=2)
    rows = [i for i in range(len(labels)) if known[i]]
    terms = []
    for a in rows:
        positives = [p for p in rows if p != a and labels[p] == labels[a]]
        negatives = [n for n in rows if labels[n] != labels[a]]
        if not positives or not negatives:
            continue
        if mining == "batch_hard":
            terms.append(max(d[a, p] for p in positives) - min(d[a, n] for n in negatives))
            continue
        for p in positives:
            farther = [d[a, n] for n in negatives if d[a, n] > d[a, p]]
            chosen = min(farther) if farther else max(d[a, n] for n in negatives)
            terms.append(d[a, p] - chosen)
    return float(np.mean([max(0.0, t + MARGIN) for t in terms])) if terms else 0.0


@pytest.mark.parametrize("mining", ["batch_hard", "semi_hard"])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_loss_follows_the_definition(mining: str, normalize: bool, mode: str) -> None:
    def loss(f: tf.Tensor, y: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
        return triplet_loss(
            f, y, margin=MARGIN, mining=mining, normalize=normalize, sample_weight=w
        )

    if mode != "eager":
        loss = tf.function(loss, jit_compile=mode == "xla")
    rng = np.random.default_rng(0)
    values = []
    for _ in range(10):
        f = rng.normal(size=(12, 4)).astype(np.float32)
        y = rng.integers(0, 4, 12)
        w = rng.integers(0, 3, 12).astype(np.float32)
        expected = oracle(f, y, mining, normalize, w > 0)
        values.append(expected)
        assert float(loss(f, y, w)) == pytest.approx(expected, abs=1e-5)
    assert max(values) > 0


def test_distances_are_squared_and_never_negative() -> None:
    f = np.array([[3.0, 4.0], [0.0, 0.0], [3.0, 4.0]], np.float32)
    np.testing.assert_allclose(
        squared_distances(f), [[0, 25, 0], [25, 0, 25], [0, 25, 0]], atol=1e-5
    )
    same = np.full((8, 3), 1e3 / 3, np.float32)
    assert np.asarray(squared_distances(same)).min() >= 0.0


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [5, 5, 5, 5]])
def test_a_batch_without_triplets_costs_nothing(labels: list[int]) -> None:
    f = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    for mining in ("batch_hard", "semi_hard"):
        assert float(triplet_loss(f, np.array(labels), margin=1.0, mining=mining)) == 0.0


def test_the_gradient_pulls_the_positive_and_pushes_the_negative() -> None:
    f = tf.Variable([[0.0, 0.0], [1.0, 0.0], [0.0, 1.5], [9.0, 9.0]])
    labels = np.array([0, 0, 1, 2])
    with tf.GradientTape() as tape:
        loss = triplet_loss(f, labels, margin=2.0, normalize=False, sample_weight=[1, 1, 1, 0])
    # Anchor 0: 1 − 2.25 + 2 = 0.75; anchor 1: 1 − 3.25 + 2 < 0; no other has a positive.
    assert float(loss) == pytest.approx(0.75 / 2)
    gradient = tape.gradient(loss, f).numpy()
    # Of the mean over two anchors: ∂/∂p = (p − a), ∂/∂n = −(n − a), halved twice by mean and rule.
    np.testing.assert_allclose(gradient[1], [1.0, 0.0], atol=1e-5)
    np.testing.assert_allclose(gradient[2], [0.0, -1.5], atol=1e-5)
    np.testing.assert_allclose(gradient[3], [0.0, 0.0])


def test_rows_of_weight_zero_may_hold_anything() -> None:
    f = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    y = np.array([0, 0, 1, 1, 2, 2])
    clean = float(triplet_loss(f, y, margin=1.0))
    bad = np.concatenate([f, np.full((2, 3), np.nan, np.float32)])
    weights = np.array([1] * 6 + [0] * 2, np.float32)
    got = float(triplet_loss(bad, np.append(y, [0, 1]), margin=1.0, sample_weight=weights))
    assert got == pytest.approx(clean, abs=1e-6)


def test_unknown_mining_is_named() -> None:
    with pytest.raises(ValueError, match="mining is 'hard', but must be batch_hard or semi_hard"):
        triplet_loss(np.zeros((2, 2), np.float32), np.array([0, 1]), margin=1.0, mining="hard")
