"""The losses and the whole model under Keras's JAX backend, against the definitions in NumPy."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

IMPORTS = """
import sys
import jax, keras, numpy as np
from center_loss_oracle import CenterOracle
from trainer_module.center_loss import CenterLoss
from trainer_module.config import ModelConfig, TrainingConfig, from_dict
from trainer_module.embedding_model import EmbeddingModel
from trainer_module.joint_loss import JointLoss
from pipeline.settings_loader import load_settings
"""
LOSS = """
layer = CenterLoss(7, momentum=0.8)
layer.build((None, 5))
oracle = CenterOracle(7, 5, 0.8, True)
state = [variable.value for variable in layer.non_trainable_variables]
step = jax.jit(lambda state, f, y, w: layer.stateless_call(
    [], state, f, y, sample_weight=w, training=True))
rng = np.random.default_rng(0)
for _ in range(20):
    f, y = rng.normal(size=(16, 5)).astype("f4"), rng.integers(0, 6, 16)
    w = rng.integers(0, 3, 16).astype("f4")
    loss, state = step(state, f, y, w)
    np.testing.assert_allclose(loss, oracle(f, y, w), atol=2e-6)
np.testing.assert_allclose(state[0], oracle.centers, atol=2e-6)
"""
MODEL = """
rng = np.random.default_rng(0)
settings = load_settings("demo", [
    "model.embedding_dim=8", "training.images_per_class=2", "training.triplet.weight=1",
    "training.center_loss.warmup_epochs=1"])
model = EmbeddingModel(
    from_dict(ModelConfig, settings.model.model_dump()), num_classes=3, joint_loss=JointLoss(
        from_dict(TrainingConfig, settings.training.model_dump()), 3, steps_per_epoch=2))
model.compile(optimizer=keras.optimizers.AdamW(1e-3), jit_compile=True)
images = rng.uniform(0, 255, (8, 32, 32, 3)).astype("f4")
history = model.fit(images, np.arange(8) % 3, batch_size=4, epochs=2, verbose=0).history
assert set(history) == {
    "loss", "accuracy", "classification_loss", "center_loss", "triplet_loss"}, history
assert np.isfinite(list(history.values())).all()
assert float(model.joint_loss.center_weight) == settings.training.center_loss.weight
assert np.asarray(model.joint_loss.center_loss.updates).sum() > 0
"""
END = """
assert "tensorflow" not in sys.modules
print("equal")
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs jax")
@pytest.mark.parametrize(
    "part",
    [
        pytest.param(LOSS, id="center_loss"),
        # XLA compiles the network for a minute.
        pytest.param(MODEL, id="model", marks=pytest.mark.extended),
    ],
)
def test_it_runs_on_jax_without_tensorflow(part: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", IMPORTS + part + END],
        cwd=ROOT,
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": str(ROOT / "tests" / "oracles"),
        },
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.endswith("equal\n")
