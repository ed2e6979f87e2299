"""Other libraries' losses in flowersim's training step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.peers import VARIANTS, PeerLoss, metric_learning_loss, similarity_loss
from benchmarks.trained_variants import RECIPE
from benchmarks.trainer_config import trainer_config
from trainer_module.training import compiled_model

CLASSES, DIM = 6, 5


def _batch() -> tuple[tf.Tensor, tf.Tensor]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(12, DIM)).astype(np.float32)
    return tf.constant(features), tf.constant(np.arange(12) % CLASSES)


def _value_and_gradient(loss: PeerLoss) -> tuple[float, np.ndarray]:
    features, labels = _batch()

    @tf.function
    def compute() -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(features)
            value = loss(features, tf.zeros([12, CLASSES]), labels)
        return value, tape.gradient(value, features)

    value, gradient = compute()
    return float(value), gradient.numpy()


def _config() -> Any:
    return trainer_config("flowers102", *RECIPE, "training.seed=3").training


def test_the_peer_is_all_of_the_loss_and_its_weights_are_trained() -> None:
    start = np.full((DIM,), 2.0, np.float32)
    seeds = []

    def make_peer(num_classes: int, dim: int, seed: int) -> tuple[Any, Any]:
        assert (num_classes, dim) == (CLASSES, DIM)
        seeds.append(seed)
        return lambda features, labels, weight: tf.reduce_sum(features * weight), start

    loss = PeerLoss(_config(), CLASSES, make_peer=make_peer)
    features, labels = _batch()
    value, gradient = _value_and_gradient(loss)
    assert value == pytest.approx(2.0 * features.numpy().sum(), rel=1e-5)
    np.testing.assert_allclose(gradient, 2.0, atol=1e-6)
    assert [weight.shape for weight in loss.trainable_variables] == [(DIM,)]
    assert seeds == [3]


@pytest.mark.extended
def test_a_step_trains_the_network_and_the_peer(recwarn: pytest.WarningsRecorder) -> None:
    def make_peer(num_classes: int, dim: int, seed: int) -> tuple[Any, Any]:
        return lambda features, labels, weight: tf.reduce_mean((features - weight) ** 2), np.ones(
            dim
        )

    config = trainer_config("demo", "model.weights=none", "model.embedding_dim=4")
    model = compiled_model(
        config,
        CLASSES,
        2,
        lambda *args, **kwargs: PeerLoss(*args, make_peer=make_peer, **kwargs),
    )
    before = [weight.numpy() for weight in model.trainable_variables]
    model.fit(np.zeros((4, 32, 32, 3), np.float32), np.arange(4), batch_size=2, verbose=0)
    moved = {
        weight.path.rpartition("/")[2]
        for weight, old in zip(model.trainable_variables, before, strict=True)
        if not np.array_equal(weight.numpy(), old)
    }
    assert "peer" in moved
    assert not [warning for warning in recwarn if "radients do not exist" in str(warning.message)]


def test_a_pytorch_loss_has_its_gradients_in_tensorflow() -> None:
    pytest.importorskip("torch", reason="needs torch and pytorch-metric-learning")
    pytest.importorskip("pytorch_metric_learning", reason="needs pytorch-metric-learning")
    make_loss: Any = metric_learning_loss("NormalizedSoftmaxLoss", has_weights=True)
    loss = make_loss(_config(), CLASSES)
    value, gradient = _value_and_gradient(loss)
    features, labels = (tensor.numpy().astype(np.float64) for tensor in _batch())
    (kernel,) = (weight.numpy().astype(np.float64) for weight in loss.trainable_variables)

    def oracle(rows: np.ndarray) -> float:
        # Its temperature is 0.05.
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        logits = unit @ (kernel / np.linalg.norm(kernel, axis=0)) / 0.05
        log_sum = np.log(np.exp(logits).sum(axis=1))
        return float((log_sum - logits[np.arange(12), labels.astype(int)]).mean())

    assert value == pytest.approx(oracle(features), rel=1e-5)
    step = np.zeros_like(features)
    step[3, 2] = 1e-6
    slope = (oracle(features + step) - oracle(features - step)) / 2e-6
    assert gradient[3, 2] == pytest.approx(slope, rel=1e-3, abs=1e-5)


def test_a_loss_of_tensorflow_similarity_runs() -> None:
    pytest.importorskip("tensorflow_similarity", reason="needs tensorflow-similarity")
    make_loss: Any = similarity_loss("TripletLoss")
    value, gradient = _value_and_gradient(make_loss(_config(), CLASSES))
    assert np.isfinite(value) and np.abs(gradient).max() > 0


def test_variants_differ_in_the_loss_alone_or_in_the_rate_they_name() -> None:
    peers = {name: variant for name, variant in VARIANTS.items() if variant.make_loss}
    assert len(peers) == len(VARIANTS) - 2
    for name, variant in peers.items():
        changed = [setting.partition("=")[0] for setting in variant.settings]
        assert changed == (["training.learning_rate"] if ", rate " in name else [])
