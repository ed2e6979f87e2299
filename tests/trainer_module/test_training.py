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
from benchmarks.trainer_config import trainer_config
from trainer_module import callbacks, checkpoints, features, images, training

root = pathlib.Path(sys.argv[1])
CLASSES, EACH, SIDE = 3, 4, 48
config = trainer_config(
    "demo", f"images.canonical_size={SIDE}",
    f"model.input_size={SIDE}", "model.embedding_dim=8", "model.mirror_average=true",
    "training.input_size=40", "training.epochs=2", "training.batch_size=4",
    "training.images_per_class=2", "training.triplet.weight=0.5",
    "training.center_loss.warmup_epochs=1", "training.center_loss.weight=1")

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
        class_counts=[EACH] * CLASSES,
        checkpoint_folder=root / name / "checkpoints", log_dir=str(root / name / "logs"))

whole = train("whole")

report = callbacks.LogProgress.on_epoch_end
def stop(*_): raise KeyboardInterrupt
callbacks.LogProgress.on_epoch_end = stop
try:
    train("stopped")
except KeyboardInterrupt:
    callbacks.LogProgress.on_epoch_end = report
resumed = train("stopped")

restored = training.compiled_model(config, CLASSES, 3)
progress = checkpoints.CheckpointFolder(root / "whole" / "checkpoints").restore(restored)
print(json.dumps({
    "whole": whole.history,
    "resumed": resumed.history,
    "frozen": whole.frozen,
    "unequal": [one.path for one, other in zip(whole.model.weights, resumed.model.weights)
                if not np.array_equal(one, other)],
    "restored_epoch": progress.epoch,
    "restored_step": int(restored.optimizer.iterations),
    "center_updates": whole.model.joint_loss.center_loss.updates.numpy().tolist(),
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
        assert epoch["triplet_loss"] >= 0.0
        assert 0.0 <= epoch["val_map_at_r"] <= 1.0 and 0.0 <= epoch["val_recall_at_1"] <= 1.0
        assert epoch["val_intra_inter"] > 0.0 and epoch["center_norm"] > 0.0
    # After the warm-up the loss is the sum of its parts.
    last = trained["whole"][-1]
    parts = last["classification_loss"] + last["center_loss"] + 0.5 * last["triplet_loss"]
    assert last["loss"] == pytest.approx(parts, rel=1e-3)
    assert set(trained["frozen"]) >= {"recall_at_1", "map_at_r"}
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
    from benchmarks.trainer_config import trainer_config
    from trainer_module.training import train

    config = trainer_config("demo", "training.batch_size=64")
    with pytest.raises(ValueError, match=r"12 images, fewer than one batch.*batch_size=64"):
        train(
            config,
            train_patterns=[],
            validation_patterns=[],
            class_counts=[4, 4, 4],
            checkpoint_folder=tmp_path,
            log_dir=str(tmp_path),
        )
