"""Trains the embedding model: strategy, optimizer, epochs, and going on after an interruption."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from trainer_module.checkpoints import CheckpointFolder, SaveEveryEpoch
from trainer_module.config import TrainerConfig, TrainingConfig
from trainer_module.embedding_model import EmbeddingModel
from trainer_module.input_pipeline import evaluation_batches, training_batches
from trainer_module.progress_log import SECONDS_BETWEEN_LINES
from trainer_module.validation import MONITOR, RetrievalValidation, measure


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """What came out of training.

    Attributes:
        model: With the best weights by validation retrieval.
        history: One mapping of metrics for each epoch.
        frozen: Validation metrics of the pooled features before any training.
    """

    model: EmbeddingModel
    history: list[dict[str, float]]
    frozen: dict[str, float]


def train(
    config: TrainerConfig,
    *,
    train_patterns: Sequence[str],
    validation_patterns: Sequence[str],
    num_classes: int,
    num_images: int,
    checkpoint_folder: str | os.PathLike[str],
    log_dir: str,
) -> TrainingResult:
    """Trains, or goes on training, and returns the model with the best weights.

    Args:
        config: Network and optimisation.
        train_patterns: File patterns of the transformed training split.
        validation_patterns: File patterns of the transformed validation split.
        num_classes: Classes in the training split.
        num_images: Images in the training split.
        checkpoint_folder: Where the state of an interrupted training is, or will be.
        log_dir: Where TensorBoard logs go.

    Returns:
        The trained model and how training went.

    Raises:
        ValueError: The training split is smaller than one batch.
        FloatingPointError: The loss became NaN or infinite.
    """
    training = config.training
    steps = num_images // training.batch_size
    if steps == 0 and training.epochs:
        raise ValueError(
            f"the training split has {num_images} images, fewer than one batch of "
            f"training.batch_size={training.batch_size}; lower it"
        )
    keras.utils.set_random_seed(training.seed)
    keras.config.set_dtype_policy(_precision(training.precision))
    try:
        validation = evaluation_batches(validation_patterns, config)
        with _strategy().scope():
            model = _compiled_model(config, num_classes, steps)
        frozen = measure(_pooled(model), validation)
        logging.info("Frozen backbone on validation: %s", frozen)
        checkpoints = CheckpointFolder(checkpoint_folder)
        progress = checkpoints.restore(model)
        if progress.epoch < training.epochs:
            batches = training_batches(train_patterns, config, start_step=progress.epoch * steps)
            model.fit(
                batches,
                steps_per_epoch=steps,
                epochs=training.epochs,
                initial_epoch=progress.epoch,
                verbose=0,
                callbacks=[
                    ReseedDropout(training.seed),
                    StopOnNonFiniteLoss(),
                    RetrievalValidation(validation),
                    SaveEveryEpoch(checkpoints, progress, MONITOR),
                    LogProgress(training.epochs),
                    keras.callbacks.TensorBoard(log_dir, write_graph=False),
                ],
            )
        if training.epochs:
            model.load_weights(checkpoints.best_weights)
        return TrainingResult(model, progress.history, frozen)
    finally:
        keras.config.set_dtype_policy("float32")


def _strategy() -> tf.distribute.Strategy:
    """Data parallelism when there is more than one GPU, the default strategy otherwise."""
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def _precision(name: str) -> str:
    if name != "auto":
        return name
    return "mixed_bfloat16" if tf.config.list_physical_devices("GPU") else "float32"


def _compiled_model(config: TrainerConfig, num_classes: int, steps: int) -> EmbeddingModel:
    training = config.training
    model = EmbeddingModel(
        config.model,
        training.center_loss,
        num_classes=num_classes,
        label_smoothing=training.label_smoothing,
    )
    size = config.model.input_size
    outputs = model(keras.ops.zeros((1, size, size, 3)))
    model.center_loss.build(outputs["features"].shape)
    # On a CPU, XLA's convolutions are an order of magnitude slower than TensorFlow's own.
    one_gpu = len(tf.config.list_physical_devices("GPU")) == 1
    model.compile(optimizer=_optimizer(training, steps), jit_compile=one_gpu)
    model.optimizer.build(model.trainable_variables)
    return model


def _optimizer(training: TrainingConfig, steps: int) -> keras.optimizers.Optimizer:
    """AdamW with a linear warm-up from 0 and a cosine decay to 0."""
    total = max(training.epochs * steps, 1)
    warmup = int(total * training.warmup_share)
    schedule: Any = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else training.learning_rate,
        decay_steps=max(total - warmup, 1),
        warmup_target=training.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=training.weight_decay)
    # Decay shrinks directions of weights; scales and offsets of normalisation are not such.
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _pooled(model: EmbeddingModel) -> Callable[[Any], Any]:
    return tf.function(
        lambda images: keras.ops.cast(model.backbone(images, training=False), "float32")
    )


class ReseedDropout(keras.callbacks.Callback):
    """Sets random generators of layers at the start of each epoch, by seed and epoch alone.

    Keras does not save their state with the weights: without this, a resumed training would draw
    other masks than an uninterrupted one.
    """

    def __init__(self, seed: int) -> None:
        """Keeps the seed of the training."""
        super().__init__()
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Sets every generator to a state of its own."""
        states = [v for v in self.model.variables if v.path.endswith("seed_generator_state")]
        for index, state in enumerate(states):
            state.assign([self._seed + index, epoch])


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Ends training with an error as soon as an epoch's loss is NaN or infinite."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the loss; checkpoints of earlier epochs stay."""
        bad = {k: float(v) for k, v in (logs or {}).items() if not tf.math.is_finite(float(v))}
        if bad:
            raise FloatingPointError(
                f"training diverged in epoch {epoch + 1}: {bad}; lower training.learning_rate "
                "or training.center_loss.weight"
            )


class LogProgress(keras.callbacks.Callback):
    """Writes one log line for each epoch, and meanwhile at most one a second for the steps."""

    def __init__(self, epochs: int) -> None:
        """Keeps the number of epochs for the lines."""
        super().__init__()
        self._epochs = epochs
        self._epoch = 0
        self._written_at = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keeps the epoch for the steps' lines."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the step's line, if the last one is old enough."""
        now = time.monotonic()
        if now - self._written_at >= SECONDS_BETWEEN_LINES:
            self._written_at = now
            logging.info(
                "Progress: epoch %d/%d step %d/%d.",
                self._epoch + 1,
                self._epochs,
                batch + 1,
                self.params["steps"],
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the epoch's line."""
        values = "  ".join(f"{name} {float(value):.4f}" for name, value in (logs or {}).items())
        logging.info("Epoch %d/%d  %s", epoch + 1, self._epochs, values)
