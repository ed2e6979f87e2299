"""The network that is trained: backbone, embedding, classification head, and their joint loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from trainer_module.backbones import build_backbone
from trainer_module.center_loss import CenterLoss
from trainer_module.config import CenterLossConfig, ModelConfig
from trainer_module.losses import CosineClassifier, softmax_cross_entropy
from trainer_module.replicas import number_of_replicas


def unit_length(features: Any) -> Any:
    """Scales each row of `[B, D]` to length 1; what is compared in retrieval."""
    return ops.normalize(features, axis=-1)


class EmbeddingModel(keras.Model):
    """Images to embeddings and class logits, trained with softmax plus λ · center loss.

    The loss is L = L_softmax + λ · L_center (Wen et al., ECCV 2016, eq. 5), with the center loss
    as `CenterLoss` defines it.
    """

    def __init__(
        self,
        model: ModelConfig,
        center_loss: CenterLossConfig,
        *,
        num_classes: int,
        label_smoothing: float,
        **kwargs: Any,
    ) -> None:
        """Builds the layers.

        Args:
            model: Backbone, embedding and head.
            center_loss: Weight λ, momentum and form of the center loss.
            num_classes: Number of classes C in training.
            label_smoothing: Smoothing of the softmax targets, 0 ≤ smoothing < 1.
            **kwargs: Passed to `keras.Model`.
        """
        super().__init__(**kwargs)
        self.label_smoothing = label_smoothing
        self.center_loss_weight = center_loss.weight
        self.backbone = build_backbone(
            model.backbone,
            input_size=model.input_size,
            weights=None if model.weights == "none" else model.weights,
        )
        self.dropout = keras.layers.Dropout(model.dropout)
        self.projection = (
            keras.layers.Dense(model.embedding_dim, use_bias=False, name="embedding")
            if model.embedding_dim
            else None
        )
        if model.head == "cosine":
            self.head: keras.layers.Layer = CosineClassifier(num_classes, scale=model.head_scale)
        else:
            self.head = keras.layers.Dense(num_classes, dtype="float32", name="logits")
        self.center_loss = CenterLoss(
            num_classes, momentum=center_loss.momentum, normalize=center_loss.normalize
        )
        self.classification_tracker = keras.metrics.Mean(name="classification_loss")
        self.center_tracker = keras.metrics.Mean(name="center_loss")
        self.accuracy_tracker = keras.metrics.SparseCategoricalAccuracy(name="accuracy")

    def features(self, images: Any, training: bool = False) -> Any:
        """Embeds images before normalisation.

        Args:
            images: float32 `[B, S, S, 3]` in 0 … 255.
            training: Whether dropout and batch statistics are used.

        Returns:
            float32 `[B, D]`.
        """
        pooled = self.backbone(images, training=training)
        if self.projection is not None:
            pooled = self.projection(self.dropout(pooled, training=training))
        return ops.cast(pooled, "float32")

    def embed(self, images: Any) -> Any:
        """Embeds images for retrieval: float32 `[B, D]`, rows of length 1."""
        return unit_length(self.features(images))

    def call(self, images: Any, training: bool = False) -> dict[str, Any]:
        """Returns `features` `[B, D]` and `logits` `[B, C]`, both float32."""
        features = self.features(images, training=training)
        return {"features": features, "logits": self.head(features)}

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Returns the joint loss, a scalar, and moves the centers when training.

        Under a `tf.distribute` strategy it is this replica's part of the loss (`replicas.py`).
        """
        classification = softmax_cross_entropy(
            y, y_pred["logits"], label_smoothing=self.label_smoothing, sample_weight=sample_weight
        )
        # Computed with λ = 0 too, so that its course can be compared between runs.
        center = self.center_loss(
            y_pred["features"], y, sample_weight=sample_weight, training=training
        )
        # A tracker averages over replicas, whose parts of a loss are to be summed.
        replicas = number_of_replicas()
        self.classification_tracker.update_state(replicas * classification)
        self.center_tracker.update_state(replicas * center)
        self.accuracy_tracker.update_state(y, y_pred["logits"])
        if not self.center_loss_weight:
            return classification
        return classification + self.center_loss_weight * center
