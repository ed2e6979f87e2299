"""The loss that is trained: cross-entropy, center loss and triplet loss, weighted and added.

What each is, is said in `losses.py`, `center_loss.py` and `triplet_loss.py`.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from trainer_module.center_loss import CenterLoss
from trainer_module.config import TrainingConfig
from trainer_module.losses import softmax_cross_entropy
from trainer_module.replicas import number_of_replicas
from trainer_module.triplet_loss import triplet_loss


class JointLoss(keras.layers.Layer):
    """L = w · L_softmax + λ_t · L_center + w₃ · L_triplet, with a warm-up of λ.

    With softmax and center loss alone it is eq. 5 of Wen et al., ECCV 2016. λ_t rises linearly from
    0 to λ in the first T training steps: before the classes are apart, pulling features to centers
    that all lie together only takes them the length and the directions that tell classes apart.

    Attributes:
        center_loss: The center loss, with its centers.
        trackers: Running means of each part and of the accuracy, for Keras to log.
    """

    def __init__(
        self, config: TrainingConfig, num_classes: int, *, steps_per_epoch: int = 1, **kwargs: Any
    ) -> None:
        """Makes the layer.

        Args:
            config: Of it, the weights and options of the losses.
            num_classes: C.
            steps_per_epoch: Training steps in an epoch, in which the warm-up is given.
            **kwargs: Passed to `keras.layers.Layer`.
        """
        super().__init__(**{**kwargs, "dtype": "float32", "autocast": False})
        self.config = config
        self.center_loss = CenterLoss(
            num_classes,
            momentum=config.center_loss.momentum,
            normalize=config.center_loss.normalize,
        )
        self._warmup_steps = config.center_loss.warmup_epochs * steps_per_epoch
        names = ["classification_loss", "center_loss"]
        if config.triplet.weight:
            names.append("triplet_loss")
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}
        self.trackers["accuracy"] = keras.metrics.SparseCategoricalAccuracy(name="accuracy")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the centers for features of shape `[B, D]`, and the counter of steps."""
        self.center_loss.build(input_shape)
        self._steps = self.add_weight(
            name="steps",
            shape=(),
            initializer="zeros",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
        )

    @property
    def center_weight(self) -> Any:
        """λ_t of the next step, a float32 scalar."""
        weight = self.config.center_loss.weight
        if not self._warmup_steps:
            return ops.convert_to_tensor(weight, "float32")
        return weight * ops.minimum(1.0, self._steps / self._warmup_steps)

    def call(
        self,
        features: Any,
        logits: Any,
        labels: Any,
        sample_weight: Any = None,
        training: bool = False,
    ) -> Any:
        """Returns the loss and, when training, moves the centers and counts the step.

        Under a `tf.distribute` strategy it is this replica's part of the loss (`replicas.py`).

        Args:
            features: `[B, D]`.
            logits: `[B, C]`.
            labels: Class indices, integers `[B]`.
            sample_weight: `[B]`, or None for 1 each.
            training: Whether this is a training step.

        Returns:
            float32 scalar.
        """
        config = self.config
        parts = {
            "classification_loss": softmax_cross_entropy(
                labels,
                logits,
                label_smoothing=config.label_smoothing,
                sample_weight=sample_weight,
            ),
            # Computed with λ = 0 too, so that its course can be compared between runs.
            "center_loss": self.center_loss(
                features, labels, sample_weight=sample_weight, training=training
            ),
        }
        weights: dict[str, Any] = {}
        if config.cross_entropy_weight:
            weights["classification_loss"] = config.cross_entropy_weight
        if config.center_loss.weight:
            weights["center_loss"] = self.center_weight
        if config.triplet.weight:
            weights["triplet_loss"] = config.triplet.weight
            parts["triplet_loss"] = triplet_loss(
                features,
                labels,
                margin=config.triplet.margin,
                mining=config.triplet.mining,
                normalize=config.triplet.normalize,
                sample_weight=sample_weight,
            )
        # A tracker averages over replicas, whose parts of a loss are to be summed.
        replicas = number_of_replicas()
        for name, value in parts.items():
            self.trackers[name].update_state(replicas * value)
        self.trackers["accuracy"].update_state(labels, logits, sample_weight=sample_weight)
        total = sum(weight * parts[name] for name, weight in weights.items())
        if training:
            self._steps.assign(self._steps + 1.0)
        return total

    def compute_output_shape(self, *_: Any, **__: Any) -> tuple[()]:
        """Returns the shape of a scalar."""
        return ()
