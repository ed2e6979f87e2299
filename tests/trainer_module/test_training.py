"""The training loop on a few drawn squares: it reports, it resumes, and it stops when it must."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

# In a process of its own, since TensorFlow's deterministic mode cannot be turned off again. Three
# trainings share it, as importing and tracing take most of the time.
SCRIPT = """
import json, pathlib, sys
import numpy as np, tensorflow as tf
tf.config.experimental.enable_op_determinism()
from trainer_module import checkpoints, features, images, training
from trainer_module.config import (
    AugmentationConfig, CenterLossConfig, ModelConfig, TrainerConfig, TrainingConfig)

root = pathlib.Path(sys.argv[1])
CLASSES, EACH, SIDE = 3, 4, 48
config = TrainerConfig(
    canonical_size=SIDE,
    model=ModelConfig("efficientnet_lite0", "imagenet", SIDE, 8, 0.2, "cosine", 16.0),
    training=TrainingConfig(
        epochs=2, batch_size=4, learning_rate=1e-3, warmup_share=0.1, weight_decay=1e-4,
        label_smoothing=0.1, center_loss=CenterLossConfig(1.0, 0.8, True),
        augmentation=AugmentationConfig(0.5, True, 0.1, 0.1), precision="float32", seed=0))

rng = np.random.default_rng(0)
with tf.io.TFRecordWriter(str(root / "data.gz"), "GZIP") as writer:
    for label in range(CLASSES):
        for _ in range(EACH):
            pixels = rng.normal(60, 30, (SIDE, SIDE, 3))
            pixels[..., label] += 100
            png = images.encode_png(tf.constant(np.clip(pixels, 0, 255).astype(np.uint8)))
            example = tf.train.Example()
            example.features.feature[features.IMAGE].bytes_list.value.append(png.numpy())
            for name in (features.LABEL, features.CLASS_INDEX):
                example.features.feature[name].int64_list.value.append(label)
            writer.write(example.SerializeToString())

def train(name):
    return training.train(
        config, train_patterns=[str(root / "data.gz")], validation_patterns=[str(root / "data.gz")],
        num_classes=CLASSES, num_images=CLASSES * EACH,
        checkpoint_folder=root / name / "checkpoints", log_dir=str(root / name / "logs"))

whole = train("whole")

report = training.LogProgress.on_epoch_end
def stop(*_): raise KeyboardInterrupt
training.LogProgress.on_epoch_end = stop
try:
    train("stopped")
except KeyboardInterrupt:
    training.LogProgress.on_epoch_end = report
resumed = train("stopped")

restored = training._compiled_model(config, CLASSES, 3)
progress = checkpoints.CheckpointFolder(root / "whole" / "checkpoints").restore(restored)
print(json.dumps({
    "whole": whole.history,
    "resumed": resumed.history,
    "frozen": whole.frozen,
    "unequal": [one.path for one, other in zip(whole.model.weights, resumed.model.weights)
                if not np.array_equal(one, other)],
    "restored_epoch": progress.epoch,
    "restored_step": int(restored.optimizer.iterations),
    "center_updates": whole.model.center_loss.updates.numpy().tolist(),
    "logs": len(list((root / "whole" / "logs").rglob("events*"))),
}))
"""


@pytest.fixture(scope="module")
def trained(
    run_python: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("training")
    return json.loads(run_python(SCRIPT, str(folder)).stdout.splitlines()[-1])


@pytest.mark.e2e
def test_each_epoch_is_reported(trained: dict[str, Any]) -> None:
    assert len(trained["whole"]) == 2
    for epoch in trained["whole"]:
        assert epoch["loss"] == pytest.approx(
            epoch["classification_loss"] + epoch["center_loss"], rel=1e-3
        )
        assert 0.0 <= epoch["val_map_at_r"] <= epoch["val_recall_at_1"] <= 1.0
    assert set(trained["frozen"]) == {"recall_at_1", "map_at_r"}
    assert trained["logs"] >= 1


@pytest.mark.e2e
def test_every_class_has_a_center_after_training(trained: dict[str, Any]) -> None:
    assert len(trained["center_updates"]) == 3
    assert min(trained["center_updates"]) >= 1


@pytest.mark.e2e
def test_an_interrupted_training_ends_bit_for_bit_where_an_uninterrupted_one_does(
    trained: dict[str, Any],
) -> None:
    assert trained["resumed"] == trained["whole"]
    assert trained["unequal"] == []


@pytest.mark.e2e
def test_the_optimizer_is_part_of_a_checkpoint(trained: dict[str, Any]) -> None:
    assert (trained["restored_epoch"], trained["restored_step"]) == (2, 6)


def test_a_batch_larger_than_the_split_is_explained(tmp_path: pathlib.Path) -> None:
    from pipeline.settings_loader import load_settings
    from trainer_module.config import TrainerConfig, from_dict
    from trainer_module.training import train

    settings = load_settings("demo", ["training.batch_size=64"])
    config = from_dict(
        TrainerConfig,
        {
            "canonical_size": 64,
            "model": settings.model.model_dump(),
            "training": settings.training.model_dump(),
        },
    )
    with pytest.raises(ValueError, match=r"12 images, fewer than one batch.*batch_size=64"):
        train(
            config,
            train_patterns=[],
            validation_patterns=[],
            num_classes=3,
            num_images=12,
            checkpoint_folder=tmp_path,
            log_dir=str(tmp_path),
        )


def test_divergence_stops_training() -> None:
    from trainer_module.training import StopOnNonFiniteLoss

    callback = StopOnNonFiniteLoss()
    callback.on_epoch_end(0, {"loss": 1.0})
    with pytest.raises(FloatingPointError, match=r"epoch 3.*learning_rate"):
        callback.on_epoch_end(2, {"loss": float("nan"), "accuracy": 0.1})
