"""Unit vectors and their gradient, also where there is no direction."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from trainer_module.vectors import unit


def test_rows_have_length_one_and_gradients_across_themselves() -> None:
    x = tf.Variable(np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32))
    with tf.GradientTape() as tape:
        rows = unit(x)
        loss = tf.reduce_sum(rows * tf.constant([1.0, 2.0, 3.0, 4.0]))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-6)
    gradient = tape.gradient(loss, x).numpy()
    np.testing.assert_allclose((gradient * x.numpy()).sum(axis=1), 0.0, atol=1e-5)
    assert np.abs(gradient).max() > 0.1


def test_a_row_of_zeros_stays_and_has_no_gradient() -> None:
    x = tf.Variable([[0.0, 0.0], [3.0, 4.0], [1e-20, 0.0]])
    with tf.GradientTape() as tape:
        rows = unit(x)
        loss = tf.reduce_sum(rows)
    np.testing.assert_allclose(rows, [[0.0, 0.0], [0.6, 0.8], [0.0, 0.0]], atol=1e-7)
    gradient = tape.gradient(loss, x).numpy()
    np.testing.assert_array_equal(gradient[[0, 2]], 0.0)
    np.testing.assert_allclose(gradient[1], [0.032, -0.024], atol=1e-6)
