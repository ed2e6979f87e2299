"""The classification side of the joint loss: softmax cross-entropy and the cosine head.

Center and triplet loss have files of their own; how they are added is said in `joint_loss.py`.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from trainer_module.replicas import sum_over_replicas


def softmax_cross_entropy(
    labels: Any, logits: Any, *, label_smoothing: float = 0.0, sample_weight: Any = None
) -> Any:
    """Mean cross-entropy of the softmax with smoothed targets.

    L = Σ_i w_i · (−Σ_j q_ij log p_ij) / Σ_i w_i with q_ij = (1 − s)·[y_i = j] + s / C
    (Szegedy et al., CVPR 2016, section 7). Under `tf.distribute` the denominator is that of the
    global batch and the result is this replica's part; the parts sum to L.

    Args:
        labels: Class indices, integers `[B]`, 0 ≤ y < C.
        logits: `[B, C]`; computed in float32.
        label_smoothing: s, 0 ≤ s < 1.
        sample_weight: `[B]`, or None for 1 each; 0 leaves a row out.

    Returns:
        float32 scalar; 0 if all weights are 0.
    """
    log_p = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    index = ops.expand_dims(ops.cast(labels, "int32"), axis=-1)
    loss = -(1.0 - label_smoothing) * ops.take_along_axis(log_p, index, axis=-1)[:, 0]
    if label_smoothing:
        loss = loss - label_smoothing * ops.mean(log_p, axis=-1)
    weight = ops.ones_like(loss) if sample_weight is None else ops.cast(sample_weight, "float32")
    (total,) = sum_over_replicas([ops.sum(weight)])
    # A row of weight 0 may hold anything, NaN included.
    weighted = ops.where(weight > 0, weight * loss, 0.0)
    return ops.sum(weighted) / ops.maximum(total, keras.config.epsilon())


class CosineClassifier(keras.layers.Layer):
    """Logits s · cos(f, w_j): a linear head without lengths (NormFace; Wang et al., ACM MM 2017).

    Scores depend on directions alone, as retrieval by cosine does. Weights and result are float32
    under any precision policy.
    """

    def __init__(self, num_classes: int, *, scale: float = 16.0, **kwargs: Any) -> None:
        """Makes the head.

        Args:
            num_classes: C, at least 2.
            scale: s, the inverse temperature, above 0.
            **kwargs: Passed to `keras.layers.Layer`.

        Raises:
            ValueError: Too few classes, or a scale that is not positive.
        """
        kwargs.setdefault("name", "logits")
        super().__init__(**{**kwargs, "dtype": "float32"})
        if num_classes < 2:
            raise ValueError(f"num_classes is {num_classes}, but must be at least 2")
        if not scale > 0:
            raise ValueError(f"scale is {scale}, but must be above 0")
        self.num_classes = num_classes
        self.scale = scale

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the class directions `[D, C]`."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.num_classes),
            initializer="glorot_uniform",
        )

    def call(self, features: Any) -> Any:
        """Maps features `[B, D]` to logits `[B, C]` in −s … s."""
        directions = ops.normalize(self.kernel, axis=0)
        return self.scale * ops.matmul(ops.normalize(features, axis=-1), directions)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns `[B, C]`."""
        return (input_shape[0], self.num_classes)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        config.pop("dtype", None)
        return {**config, "num_classes": self.num_classes, "scale": self.scale}
