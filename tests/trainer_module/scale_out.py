"""Trains a small model on all losses under one strategy; a script, not a test.

Usage: scale_out.py fit|loop single|mirrored, or scale_out.py loop worker INDEX PORT PORT. Prints a
line of JSON: losses by step or epoch, centers, and weights. `loop` is a training loop of its own,
since Keras's `fit` does not run under MultiWorkerMirroredStrategy (docs/training.md says why).
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

CLASSES, DIMENSIONS, STEPS, EPOCHS, BATCH = 3, 5, 4, 3, 8


def strategy_for(kind: str, arguments: list[str]) -> Any:
    if kind == "worker":
        index, *ports = arguments
        workers = [f"127.0.0.1:{port}" for port in ports]
        task = {"type": "worker", "index": int(index)}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": task})
    import tensorflow as tf

    if kind == "worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if kind == "mirrored":
        (cpu,) = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    return tf.distribute.get_strategy()


def main(how: str, kind: str, *arguments: str) -> None:
    strategy = strategy_for(kind, list(arguments))
    import keras
    import numpy as np
    import tensorflow as tf

    from pipeline.settings_loader import load_settings
    from trainer_module.config import TrainingConfig, from_dict
    from trainer_module.joint_loss import JointLoss
    from trainer_module.optimizer import FineTuningAdamW

    settings = load_settings("demo", ["training.center_loss.warmup_epochs=1"])
    config = from_dict(TrainingConfig, settings.training.model_dump())

    class Small(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.body = keras.layers.Dense(DIMENSIONS)
            self.head = keras.layers.Dense(CLASSES)
            self.joint_loss = JointLoss(config, CLASSES, steps_per_epoch=STEPS)
            self.body.build((None, 4))
            self.head.build((None, DIMENSIONS))
            self.joint_loss.build((None, DIMENSIONS))
            self.built = True

        def call(self, x: Any, training: bool = False) -> Any:
            features = self.body(x)
            return features, self.head(features)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return self.joint_loss(*y_pred, y, sample_weight=sample_weight, training=training)

    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = Small()
        optimizer = FineTuningAdamW(
            0.05,
            weight_decay=0.1,
            pretrained=[model.body.kernel.path],
            pretrained_factor=0.5,
            frozen_steps=2,
        )
        model.compile(optimizer=optimizer, jit_compile=False)
        optimizer.build(model.trainable_variables)
    x = np.random.default_rng(0).normal(size=(STEPS * BATCH, 4)).astype(np.float32)
    y = np.arange(STEPS * BATCH) % CLASSES
    y[:BATCH] = [0, 0, 0, 0, 1, 2, 2, 2]  # classes that only one of two replicas sees
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH)
    if how == "fit":
        options = {"epochs": EPOCHS, "steps_per_epoch": STEPS, "verbose": 0}
        losses = model.fit(batches.repeat(), **options).history["loss"]
    else:

        @tf.function
        def step(images: Any, labels: Any) -> Any:
            def replica(images: Any, labels: Any) -> Any:
                with tf.GradientTape() as tape:
                    loss = model.compute_loss(y=labels, y_pred=model(images, training=True))
                gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
                optimizer.apply(gradients, model.trainable_variables)
                return loss

            return strategy.reduce("SUM", strategy.run(replica, args=(images, labels)), None)

        distributed = strategy.experimental_distribute_dataset(batches)
        losses = [float(step(*batch)) for _ in range(EPOCHS) for batch in distributed]
    print(
        json.dumps(
            {
                "losses": losses,
                "centers": model.joint_loss.center_loss.centers.numpy().tolist(),
                "updates": model.joint_loss.center_loss.updates.numpy().tolist(),
                "weights": [variable.numpy().tolist() for variable in model.trainable_variables],
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
