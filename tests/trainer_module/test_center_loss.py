"""CenterLoss against the definition in float64, and the properties it must have."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from center_loss_oracle import CenterOracle

from trainer_module.center_loss import CenterLoss

C, D, M = 7, 5, 0.8
Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


def batches(count: int, size: int = 16, seed: int = 0) -> list[Batch]:
    """Random batches; the last class never comes, and some rows have weight 0."""
    rng = np.random.default_rng(seed)
    return [
        (
            rng.normal(size=(size, D)).astype(np.float32),
            rng.integers(0, C - 1, size),
            rng.integers(0, 3, size).astype(np.float32),
        )
        for _ in range(count)
    ]


def built(**options: Any) -> CenterLoss:
    layer = CenterLoss(C, **{"momentum": M, **options})
    layer.build((None, D))
    return layer


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
@pytest.mark.parametrize("momentum", [0.0, 0.8, 0.999])
def test_loss_and_centers_follow_the_definition(
    normalize: bool, mode: str, momentum: float
) -> None:
    layer, oracle = (
        built(normalize=normalize, momentum=momentum),
        CenterOracle(C, D, momentum, normalize),
    )

    def step(f: tf.Tensor, y: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
        return layer(f, y, sample_weight=w, training=True)

    if mode != "eager":
        step = tf.function(step, jit_compile=mode == "xla")
    for f, y, w in batches(20):
        got = float(step(tf.constant(f), tf.constant(y), tf.constant(w)))
        assert got == pytest.approx(oracle(f, y, w), abs=2e-6)
    np.testing.assert_allclose(layer.centers, oracle.centers, atol=2e-6)
    np.testing.assert_array_equal(layer.updates, oracle.u)


def test_first_touch_is_the_class_mean_and_costs_nothing() -> None:
    layer = built(normalize=False, momentum=0.99)
    f = np.array([[1, 2, 3, 4, 5], [3, 4, 5, 6, 7], [9, 9, 9, 9, 9]], np.float32)
    assert float(layer(f, np.array([2, 2, 4]), training=True)) == 0.0
    np.testing.assert_array_equal(layer.centers[2], [2, 3, 4, 5, 6])
    np.testing.assert_array_equal(layer.centers[4], f[2])


def test_many_copies_of_one_class_move_the_center_once() -> None:
    layer = built(normalize=False)
    layer(np.zeros((1, D), np.float32), np.array([1]), training=True)
    layer(np.ones((64, D), np.float32), np.full(64, 1), training=True)
    expected = (1 - M) / (1 - M**2)
    np.testing.assert_allclose(layer.centers[1], np.full(D, expected), rtol=1e-6)


def test_absent_classes_stay_bit_identical() -> None:
    layer = built()
    for f, y, w in batches(3):
        layer(f, y, sample_weight=w, training=True)
    before = layer.centers.numpy()
    f, _, _ = batches(1, seed=9)[0]
    layer(f, np.full(16, 3), training=True)
    unchanged = [j for j in range(C) if j != 3]
    np.testing.assert_array_equal(layer.centers.numpy()[unchanged], before[unchanged])
    assert not np.array_equal(layer.centers.numpy()[3], before[3])


def test_order_of_the_batch_does_not_matter() -> None:
    one, other = built(), built()
    for index, (f, y, w) in enumerate(batches(5)):
        order = np.random.default_rng(index).permutation(len(y))
        a = one(f, y, sample_weight=w, training=True)
        b = other(f[order], y[order], sample_weight=w[order], training=True)
        assert float(a) == pytest.approx(float(b), abs=1e-6)
    np.testing.assert_allclose(one.centers, other.centers, atol=1e-6)


def test_evaluation_changes_nothing() -> None:
    layer = built()
    f, y, w = batches(1)[0]
    layer(f, y, training=True)
    before = [weight.numpy() for weight in layer.weights]
    layer(f, y)
    layer(f, y, sample_weight=w, training=False)
    for weight, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


@pytest.mark.parametrize("normalize", [True, False])
def test_gradient_is_the_offset_from_the_center(normalize: bool) -> None:
    layer = built(normalize=normalize)
    for f, y, w in batches(3):
        layer(f, y, sample_weight=w, training=True)
    centers = layer.centers.numpy().astype(np.float64)
    f, y, _ = batches(1, seed=5)[0]
    features = tf.Variable(f)
    with tf.GradientTape() as tape:
        loss = layer(features, y, training=True)
    assert layer.trainable_variables == []
    expected = (f - centers[y]) / len(y)
    if normalize:
        length = np.linalg.norm(f, axis=1, keepdims=True)
        unit, c = f / length, centers[y] / np.linalg.norm(centers[y], axis=1, keepdims=True)
        # d(1 − cos)/df: the part of −c across f.
        expected = -(c - (c * unit).sum(axis=1, keepdims=True) * unit) / length / len(y)
    np.testing.assert_allclose(tape.gradient(loss, features), expected, atol=2e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_state_is_float32_under_half_precision(dtype: str) -> None:
    keras.config.set_dtype_policy(f"mixed_{dtype}")
    try:
        layer = built()
    finally:
        keras.config.set_dtype_policy("float32")
    f, y, w = batches(1)[0]
    half = tf.cast(f, dtype)
    loss = layer(half, y, sample_weight=w, training=True)
    assert loss.dtype == tf.float32
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    oracle = CenterOracle(C, D, M, True)
    oracle(tf.cast(half, tf.float64).numpy(), y, w)
    np.testing.assert_allclose(layer.centers, oracle.centers, atol=1e-6)


def test_rows_of_weight_zero_may_hold_anything() -> None:
    padded, plain = built(), built()
    for f, y, _ in batches(2):
        bad = np.concatenate([f, np.full((3, D), np.nan, np.float32)])
        weights = np.append(np.ones(16), np.zeros(3)).astype(np.float32)
        a = padded(bad, np.append(y, [0, 1, 2]), sample_weight=weights, training=True)
        assert float(a) == float(plain(f, y, training=True))
    np.testing.assert_array_equal(padded.centers, plain.centers)


def test_a_batch_without_weight_costs_nothing_and_moves_nothing() -> None:
    layer = built()
    f, y, _ = batches(1)[0]
    assert float(layer(f, y, sample_weight=np.zeros(16, np.float32), training=True)) == 0.0
    np.testing.assert_array_equal(layer.updates, np.zeros(C))


@pytest.mark.parametrize("bad", [-1, C])
def test_labels_out_of_range(bad: int) -> None:
    layer = built()
    f, y, _ = batches(1)[0]
    y = y.copy()
    y[4] = bad
    with pytest.raises(ValueError, match=f"label {bad} is not in 0 … {C - 1}"):
        layer(f, y, training=True)
    loss = tf.function(lambda f, y: layer(f, y, training=True), jit_compile=True)(f, y)
    assert np.isnan(loss)
    keep = np.arange(16) != 4
    clean = built()
    clean(f[keep], y[keep], training=True)
    np.testing.assert_allclose(layer.centers, clean.centers, atol=1e-6)


def test_resuming_from_saved_weights_goes_on_as_if_uninterrupted(tmp_path) -> None:
    whole, first = built(), built()
    data = batches(6)
    losses = [float(whole(f, y, sample_weight=w, training=True)) for f, y, w in data]
    inputs = keras.Input((D,)), keras.Input((), dtype="int32")
    for f, y, w in data[:3]:
        first(f, y, sample_weight=w, training=True)
    path = tmp_path / "layer.weights.h5"
    keras.Model(inputs, first(*inputs)).save_weights(path)
    second = CenterLoss.from_config(first.get_config())
    model = keras.Model(inputs, second(*inputs))
    model.load_weights(path)
    for expected, (f, y, w) in zip(losses[3:], data[3:], strict=True):
        assert float(second(f, y, sample_weight=w, training=True)) == expected
    np.testing.assert_array_equal(second.centers, whole.centers)


def test_it_comes_back_from_its_serialised_form() -> None:
    layer = CenterLoss(C, momentum=0.6, normalize=False, name="centers_of_species")
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert isinstance(copy, CenterLoss)
    assert copy.get_config() == layer.get_config()
    assert (copy.num_classes, copy.momentum, copy.normalize) == (C, 0.6, False)


@pytest.mark.parametrize("options", [{"num_classes": 0}, {"momentum": 1.0}, {"momentum": -0.1}])
def test_arguments_out_of_range(options: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        CenterLoss(**{"num_classes": C, **options})


REPLICAS = """
import numpy as np, tensorflow as tf
from trainer_module.center_loss import CenterLoss
from trainer_module.losses import softmax_cross_entropy
cpu, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    mirrored = CenterLoss(7, momentum=0.8)
    mirrored.build((None, 5))
single = CenterLoss(7, momentum=0.8)
rng = np.random.default_rng(0)

@tf.function
def step(values):
    def one(f, y, w):
        return mirrored(f, y, sample_weight=w, training=True), softmax_cross_entropy(
            y, f, label_smoothing=0.1, sample_weight=w)
    center, softmax = strategy.run(one, args=values)
    return strategy.reduce("SUM", center, None), strategy.reduce("SUM", softmax, None)

for cut in (5, 0, 16, 9, 8):  # also an empty replica
    f = rng.normal(size=(16, 5)).astype("f4"); y = rng.integers(0, 5, 16)
    w = rng.integers(0, 3, 16).astype("f4")
    parts = [(v[:cut], v[cut:]) for v in (f, y, w)]
    values = tuple(strategy.experimental_distribute_values_from_function(
        lambda context, part=part: tf.constant(part[context.replica_id_in_sync_group]))
        for part in parts)
    center, softmax = step(values)
    np.testing.assert_allclose(center, single(f, y, sample_weight=w, training=True), atol=1e-6)
    np.testing.assert_allclose(
        softmax, softmax_cross_entropy(y, f, label_smoothing=0.1, sample_weight=w), atol=1e-6)
    np.testing.assert_allclose(mirrored.centers.numpy(), single.centers.numpy(), atol=1e-6)
print("equal")
"""


def test_two_replicas_are_as_one_with_all_rows(run_python) -> None:
    # In a process of its own: logical devices can only be set before TensorFlow has started.
    assert run_python(REPLICAS).stdout.endswith("equal\n")
