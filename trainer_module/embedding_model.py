"""The network that is trained: backbone, embedding, classification head, and their joint loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from trainer_module.backbones import build_backbone, freeze_first_blocks
from trainer_module.config import ModelConfig
from trainer_module.joint_loss import JointLoss
from trainer_module.losses import CosineClassifier


class EmbeddingModel(keras.Model):
    """Images to embeddings and class logits.

    It is trained at `training.input_size` and used at `model.input_size`: random crops enlarge what
    they show, and the larger input makes up for it (Touvron et al., "Fixing the train-test
    resolution discrepancy", NeurIPS 2019). What is used may also be the mean over an image and its
    mirror image.
    """

    def __init__(
        self,
        model: ModelConfig,
        *,
        num_classes: int,
        joint_loss: JointLoss,
        frozen_blocks: int = 0,
        drop_path: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Builds the layers and their weights.

        Args:
            model: Backbone, embedding and head.
            num_classes: Number of classes C in training.
            joint_loss: The loss, not yet built.
            frozen_blocks: First blocks of a pretrained backbone that are not trained.
            drop_path: See `build_backbone`.
            **kwargs: Passed to `keras.Model`.
        """
        # Images stay float32 under any policy: half precision would round pixels before they are
        # centred.
        super().__init__(autocast=False, **kwargs)
        self.mirror_average = model.mirror_average
        self.compares_pooled = model.compared_layer == "pooled"
        self.backbone = build_backbone(
            model.backbone,
            weights=None if model.weights == "none" else model.weights,
            drop_path=drop_path,
        )
        if model.weights != "none":
            freeze_first_blocks(self.backbone, frozen_blocks)
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
        self.joint_loss = joint_loss
        width = self.backbone.output_shape[-1]
        if self.projection is not None:
            self.projection.build((None, width))
        self.head.build((None, model.embedding_dim or width))
        self.joint_loss.build((None, model.embedding_dim or width))
        self.built = True

    def pooled(self, images: Any, training: bool = False) -> Any:
        """The backbone's features, averaged over the image: float32 `[B, P]`.

        Args:
            images: float32 `[B, S, S, 3]` in 0 … 255.
            training: Whether batch statistics are used.
        """
        return ops.cast(self.backbone(images, training=training), "float32")

    def embed(self, pooled: Any, training: bool = False) -> Any:
        """Pooled features `[B, P]` to what the losses see, float32 `[B, D]`, not normalised.

        Args:
            pooled: Of `pooled`.
            training: Whether dropout is used.
        """
        if self.projection is None:
            return pooled
        dropped = self.dropout(pooled, training=training)
        return ops.cast(self.projection(dropped), "float32")

    def pooled_in_use(self, images: Any) -> Any:
        """`pooled`, of images or, where the settings say so, of the mean with the mirror image."""
        if not self.mirror_average:
            return self.pooled(images)
        both = self.pooled(ops.concatenate([images, ops.flip(images, axis=2)], axis=0))
        one, mirrored = ops.split(both, 2, axis=0)
        return 0.5 * (one + mirrored)

    def compared(self, pooled: Any) -> Any:
        """Pooled features `[B, P]` to what images are compared by, float32, not normalised.

        The embedding `[B, D]`, or the pooled features themselves: what losses shape most is best
        for them, and the layer below may serve other uses better (Chen et al., "A Simple Framework
        for Contrastive Learning of Visual Representations", ICML 2020, section 4.2).
        """
        return pooled if self.compares_pooled else self.embed(pooled)

    def in_use(self, images: Any) -> dict[str, Any]:
        """What is served: `features`, by which images are compared, and `logits` `[B, C]`."""
        pooled = self.pooled_in_use(images)
        return {"features": self.compared(pooled), "logits": self.head(self.embed(pooled))}

    def call(self, images: Any, training: bool = False) -> dict[str, Any]:
        """Returns `features` `[B, D]` and `logits` `[B, C]`, both float32."""
        features = self.embed(self.pooled(images, training=training), training=training)
        return {"features": features, "logits": self.head(features)}

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Returns the joint loss, a scalar, and moves the centers when training."""
        return self.joint_loss(
            y_pred["features"],
            y_pred["logits"],
            y,
            sample_weight=sample_weight,
            training=training,
        )
