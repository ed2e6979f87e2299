"""Trains the embedding model: strategy, optimizer, epochs, and going on after an interruption."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from trainer_module.callbacks import LogProgress, ReseedDropout
from trainer_module.checkpoints import CheckpointFolder, SaveEveryEpoch
from trainer_module.config import TrainerConfig, TrainingConfig
from trainer_module.embedding_model import EmbeddingModel
from trainer_module.health import StopOnBadLoss, StopOnBadWeights, StopOnCollapse
from trainer_module.input_pipeline import evaluation_batches, training_batches
from trainer_module.joint_loss import JointLoss
from trainer_module.optimizer import FineTuningAdamW
from trainer_module.progress_log import report
from trainer_module.scalars import LogScalars
from trainer_module.validation import MONITOR, RetrievalValidation, measure


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """What came out of training.

    Attributes:
        model: With the best weights by validation retrieval.
        history: One mapping of metrics for each epoch.
        best_epoch: The epoch whose weights these are, from 1; 0 if nothing was trained.
        frozen: Validation metrics of the pooled features before any training.
    """

    model: EmbeddingModel
    history: list[dict[str, float]]
    best_epoch: int
    frozen: dict[str, float]


def train(
    config: TrainerConfig,
    *,
    train_patterns: Sequence[str],
    validation_patterns: Sequence[str],
    class_counts: Sequence[int],
    checkpoint_folder: str | os.PathLike[str],
    log_dir: str,
    make_loss: Callable[..., JointLoss] = JointLoss,
) -> TrainingResult:
    """Trains, or goes on training, and returns the model with the best weights.

    Args:
        config: Network and optimisation.
        train_patterns: File patterns of the transformed training split.
        validation_patterns: File patterns of the transformed validation split.
        class_counts: Training images of each class, by class index.
        checkpoint_folder: Where the state of an interrupted training is, or will be; a local path
            or a bucket URL.
        log_dir: Where TensorBoard logs go.
        make_loss: Makes the loss, with the arguments of `JointLoss`; for losses of one's own.

    Returns:
        The trained model and how training went.

    Raises:
        ValueError: The training split is smaller than one batch or has fewer classes than one,
            the backbone fewer blocks than are to be frozen, or a device fewer than two classes
            for triplets.
        TrainingDivergedError: A loss became NaN or infinite, or the embedding collapsed.
    """
    training = config.training
    num_images = sum(class_counts)
    steps = num_images // training.batch_size
    if steps == 0 and training.epochs:
        raise ValueError(
            f"the training split has {num_images} images, fewer than one batch of "
            f"training.batch_size={training.batch_size}; lower it"
        )
    strategy = _strategy()
    replicas = strategy.num_replicas_in_sync
    if training.triplet.weight and training.batch_size < 2 * replicas * training.images_per_class:
        raise ValueError(
            f"triplets are mined on each of the {replicas} devices by itself, and "
            f"training.batch_size={training.batch_size} leaves it fewer than two classes of "
            f"training.images_per_class={training.images_per_class}; raise batch_size"
        )
    keras.utils.set_random_seed(training.seed)
    keras.config.set_dtype_policy(_precision(training.precision))
    try:
        with strategy.scope():
            model = compiled_model(config, len(class_counts), steps, make_loss)
        as_used = evaluation_batches(validation_patterns, input_size=config.model.input_size)
        report("measuring the backbone before training")
        frozen = measure(tf.function(model.pooled_in_use), as_used)
        logging.info("Frozen backbone on validation: %s", frozen)
        checkpoints = CheckpointFolder(checkpoint_folder)
        progress = checkpoints.restore(model)
        if progress.epoch < training.epochs:
            batches = training_batches(
                train_patterns,
                config,
                class_counts=class_counts,
                start_step=progress.epoch * steps,
            )
            validation = evaluation_batches(
                validation_patterns, input_size=training.input_size or config.model.input_size
            )
            model.fit(
                batches,
                steps_per_epoch=steps,
                epochs=training.epochs,
                initial_epoch=progress.epoch,
                verbose=0,
                callbacks=[
                    ReseedDropout(training.seed),
                    StopOnBadLoss(),
                    StopOnBadWeights(),
                    RetrievalValidation(validation),
                    StopOnCollapse(),
                    SaveEveryEpoch(checkpoints, progress, MONITOR),
                    LogProgress(training.epochs, training.batch_size),
                    LogScalars(log_dir, progress.history),
                ],
            )
        if training.epochs:
            checkpoints.load_best(model, progress)
        return TrainingResult(model, progress.history, progress.best_epoch, frozen)
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


def compiled_model(
    config: TrainerConfig,
    num_classes: int,
    steps: int,
    make_loss: Callable[..., JointLoss] = JointLoss,
) -> EmbeddingModel:
    """Builds the network with its optimizer, ready for `fit`.

    Args:
        config: Network and optimisation.
        num_classes: C.
        steps: Training steps in an epoch.
        make_loss: Makes the loss, with the arguments of `JointLoss`.
    """
    model = EmbeddingModel(
        config.model,
        joint_loss=make_loss(config.training, num_classes, steps_per_epoch=steps),
        num_classes=num_classes,
        frozen_blocks=config.training.frozen_blocks,
        drop_path=config.training.drop_path,
    )
    # On a CPU, XLA's convolutions are an order of magnitude slower than TensorFlow's own.
    one_gpu = len(tf.config.list_physical_devices("GPU")) == 1
    model.compile(optimizer=_optimizer(config.training, model, steps), jit_compile=one_gpu)
    model.optimizer.build(model.trainable_variables)
    return model


def _optimizer(
    training: TrainingConfig, model: EmbeddingModel, steps: int
) -> keras.optimizers.Optimizer:
    """AdamW with a linear warm-up from 0 and a cosine decay to 0."""
    total = max(training.epochs * steps, 1)
    warmup = int(total * training.warmup_share)
    schedule: Any = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else training.learning_rate,
        decay_steps=max(total - warmup, 1),
        warmup_target=training.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    return FineTuningAdamW(
        schedule,
        weight_decay=training.weight_decay,
        pretrained=[variable.path for variable in model.backbone.trainable_variables],
        pretrained_factor=training.backbone_rate,
        frozen_steps=training.head_epochs * steps,
    )
