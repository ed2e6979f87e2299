"""Center loss with moving-average centers, as one Keras layer.

Wen, Zhang, Li and Qiao, "A Discriminative Feature Learning Approach for Deep Face Recognition",
ECCV 2016. This file holds the loss and the update of its centers, not the classification loss it
is added to (without one, features and centers collapse; section 3.3 of the paper).

Notation: B rows of a batch, D dimensions, C classes, f_i a feature, y_i its class, w_i its weight,
ĉ_j the center of class j, u_j the number of updates it had.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from trainer_module.replicas import sum_over_replicas
from trainer_module.vectors import unit


@keras.saving.register_keras_serializable(package="flowersim")
class CenterLoss(keras.layers.Layer):
    """Half the mean squared distance of features to the center of their class.

    L = ½ Σ_i w_i [u_{y_i} > 0] ‖f_i − ĉ_{y_i}‖² / Σ_i w_i, the centers taken from before the
    step (eq. 2 of the paper, with a mean over the batch in place of a sum so that λ does not
    depend on B). No gradient reaches the centers: ∂L/∂f_i = w_i (f_i − ĉ_{y_i}) / Σ w. A class
    adds to the loss from its second batch on, since before its first one it has no center.

    When training, each class present in the batch then moves to the mean of its features,
    s_j = Σ_i w_i f_i [y_i = j] / Σ_i w_i [y_i = j], by a moving average with momentum m and
    exact bias correction. With a_j ← m a_j + (1 − m) s_j and ĉ_j = a_j / (1 − m^{u_j}), as in
    Adam, the same is

        u_j ← u_j + 1;   ĉ_j ← ĉ_j + β (s_j − ĉ_j),   β = (1 − m) / (1 − m^{u_j}),

    which is what is computed: the first update gives the class mean exactly, and nothing is
    divided when centers are read. The paper's rule (eq. 4) is such an average with
    m = 1 − αn / (1 + n) for n images of the class in the batch.

    Sums run over the global batch: under a `tf.distribute` strategy every replica holds the same
    centers as one replica with all the rows would. The result is then this replica's part of the
    loss (see `replicas.py`). Time and memory are O(BD + CD); no B × C tensor is made.

    The state is float32 under any precision policy, and belongs to training alone: leave it out
    of what is served.
    """

    def __init__(
        self, num_classes: int, momentum: float = 0.8, normalize: bool = True, **kwargs: Any
    ) -> None:
        """Makes the layer; the number of dimensions is learned from the first features.

        Args:
            num_classes: C, at least 1.
            momentum: m, 0 ≤ m < 1; 0 makes the center the class mean of the latest batch.
            normalize: Whether features and centers are compared as directions: both are
                L2-normalised, the centers only within the loss, so that a term is 1 − cos.
            **kwargs: Passed to `keras.layers.Layer`.

        Raises:
            ValueError: An argument out of range.
        """
        # autocast would hand over features that are rounded to half precision already.
        super().__init__(**{**kwargs, "dtype": "float32", "autocast": False})
        if num_classes < 1:
            raise ValueError(f"num_classes is {num_classes}, but must be at least 1")
        if not 0.0 <= momentum < 1.0:
            raise ValueError(f"momentum is {momentum}, but must be in 0 ≤ momentum < 1")
        self.num_classes = num_classes
        self.momentum = momentum
        self.normalize = normalize

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the state for features of shape `[B, D]`.

        Raises:
            ValueError: Features that are no matrix, or of unknown D.
        """
        if len(input_shape) != 2 or input_shape[-1] is None:
            raise ValueError(f"features must have shape [B, D] with D known, got {input_shape}")
        # All replicas compute the same update, so any of them may write it.
        options = {"initializer": "zeros", "trainable": False, "autocast": False}
        self._centers = self.add_weight(
            name="centers",
            shape=(self.num_classes, input_shape[-1]),
            aggregation="only_first_replica",
            **options,
        )
        self._updates = self.add_weight(
            name="updates",
            shape=(self.num_classes,),
            aggregation="only_first_replica",
            **options,
        )

    @property
    def centers(self) -> Any:
        """Bias-corrected centers ĉ, float32 `[C, D]`, not normalised; zero where `updates` is."""
        return self._centers

    @property
    def updates(self) -> Any:
        """How many batches held each class so far, u, float32 `[C]`."""
        return self._updates

    def call(
        self, embeddings: Any, labels: Any, sample_weight: Any = None, training: bool = False
    ) -> Any:
        """Returns the loss and, when training, moves the centers afterwards.

        Args:
            embeddings: Features `[B, D]`, any float dtype.
            labels: Class indices, integers `[B]`, 0 ≤ y < C.
            sample_weight: Weights ≥ 0, `[B]`, or None for 1 each; 0 leaves a row out.
            training: Whether the centers move.

        Returns:
            float32 scalar, ≥ 0; 0 if no row has both a weight and a center.

        Raises:
            ValueError: A label out of range, when run eagerly. In a compiled graph, where
                nothing can be raised, the loss is NaN, and the centers ignore the row.
        """
        features = ops.cast(embeddings, "float32")
        labels = ops.cast(labels, "int32")
        in_range = ops.logical_and(labels >= 0, labels < self.num_classes)
        self._raise_if_known_bad(labels)
        weight = ops.cast(in_range, "float32")
        if sample_weight is not None:
            weight = weight * ops.cast(sample_weight, "float32")
        index = ops.clip(labels, 0, self.num_classes - 1)
        # A row of weight 0 may hold anything, NaN included.
        features = ops.where(weight[:, None] > 0, features, 0.0)
        if self.normalize:
            features = unit(features)

        loss = self._loss(features, index, weight)
        if training:
            self._move_centers(ops.stop_gradient(features), index, weight)
        return loss + ops.where(ops.all(in_range), 0.0, math.nan)

    def _loss(self, features: Any, index: Any, weight: Any) -> Any:
        centers = ops.stop_gradient(ops.take(self._centers, index, axis=0))
        if self.normalize:
            centers = unit(centers)
        has_center = ops.take(self._updates, index) > 0
        squared = ops.sum(ops.square(features - centers), axis=-1)
        (total,) = sum_over_replicas([ops.sum(weight)])
        terms = ops.where(has_center, weight * squared, 0.0)
        # The smallest positive total that float32 still divides by, for a batch of weight 0.
        return 0.5 * ops.sum(terms) / ops.maximum(total, 1e-30)

    def _move_centers(self, features: Any, index: Any, weight: Any) -> None:
        sums = ops.segment_sum(weight[:, None] * features, index, self.num_classes)
        counts = ops.segment_sum(weight, index, self.num_classes)
        sums, counts = sum_over_replicas([sums, counts])
        present = counts > 0
        means = sums / ops.where(present, counts, 1.0)[:, None]
        updates = self._updates + ops.cast(present, "float32")
        # As a tensor: JAX's `where` takes no variable.
        centers = ops.convert_to_tensor(self._centers)
        moved = centers + self._rate(updates)[:, None] * (means - centers)
        self._centers.assign(ops.where(present[:, None], moved, centers))
        self._updates.assign(updates)

    def _rate(self, updates: Any) -> Any:
        """β after the given number of updates, exactly 1 for the first."""
        if self.momentum == 0.0:
            return ops.ones_like(updates)
        # 1 − m^u by expm1, which keeps its digits where m^u is close to 1.
        remaining = -ops.expm1(math.log(self.momentum) * ops.maximum(updates, 1.0))
        return ops.where(updates > 1, (1.0 - self.momentum) / remaining, 1.0)

    def _raise_if_known_bad(self, labels: Any) -> None:
        values = _values_if_eager(labels)
        if values is None:
            return
        bad = values[(values < 0) | (values >= self.num_classes)]
        if bad.size:
            raise ValueError(f"label {bad[0]} is not in 0 … {self.num_classes - 1}")

    def compute_output_shape(self, *_: Any, **__: Any) -> tuple[()]:
        """Returns the shape of a scalar."""
        return ()

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        config.pop("dtype", None)
        return {
            **config,
            "num_classes": self.num_classes,
            "momentum": self.momentum,
            "normalize": self.normalize,
        }


def _values_if_eager(tensor: Any) -> Any:
    """The tensor as a NumPy array, or None while a graph is traced."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if not tf.executing_eagerly():
            return None
    elif keras.backend.backend() == "jax":
        import jax

        if isinstance(tensor, jax.core.Tracer):
            return None
    return ops.convert_to_numpy(tensor)
