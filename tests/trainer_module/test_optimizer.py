"""The optimizer against its definition in float64."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from trainer_module.optimizer import FineTuningAdamW

RATE, DECAY, FACTOR, FROZEN = 0.1, 0.3, 0.25, 3


def test_each_variable_follows_its_rate_and_decay() -> None:
    rng = np.random.default_rng(0)
    start = {"new": rng.normal(size=(3, 2)), "old": rng.normal(size=(3, 2)), "bias": np.ones(4)}
    variables = {
        name: keras.Variable(value, name=name, dtype="float32") for name, value in start.items()
    }
    optimizer = FineTuningAdamW(
        RATE,
        weight_decay=DECAY,
        pretrained=[variables["old"].path],
        pretrained_factor=FACTOR,
        frozen_steps=FROZEN,
    )
    expected = {name: value.copy() for name, value in start.items()}
    m = {name: np.zeros_like(value) for name, value in start.items()}
    v = {name: np.zeros_like(value) for name, value in start.items()}
    for step in range(8):
        gradients = {name: rng.normal(size=value.shape) for name, value in start.items()}
        optimizer.apply(
            [gradients[name].astype(np.float32) for name in start],
            [variables[name] for name in start],
        )
        for name, g in gradients.items():
            m[name] = 0.9 * m[name] + 0.1 * g
            v[name] = 0.999 * v[name] + 0.001 * g**2
            rate = RATE * (1.0 if name != "old" else 0.0 if step < FROZEN else FACTOR)
            decay = DECAY if name != "bias" else 0.0
            corrected = (m[name] / (1 - 0.9 ** (step + 1))) / (
                np.sqrt(v[name] / (1 - 0.999 ** (step + 1))) + 1e-7
            )
            expected[name] = expected[name] - rate * decay * expected[name] - rate * corrected
        if step < FROZEN:
            np.testing.assert_array_equal(variables["old"], np.float32(start["old"]))
    for name, value in expected.items():
        np.testing.assert_allclose(variables[name], value, atol=1e-5)


def test_an_unknown_variable_is_named() -> None:
    optimizer = FineTuningAdamW(RATE, pretrained=["no/such"])
    with pytest.raises(ValueError, match="no trainable variable is called no/such"):
        optimizer.build([keras.Variable([1.0])])


def test_configuration_comes_back() -> None:
    optimizer = FineTuningAdamW(RATE, weight_decay=DECAY, pretrained=["a"], frozen_steps=2)
    copy = FineTuningAdamW.from_config(optimizer.get_config())
    assert copy.get_config() == optimizer.get_config()
