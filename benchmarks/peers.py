"""Losses of other metric-learning libraries in flowersim's place: same network, images and budget.

Each peer's loss, with its library's defaults, takes the place of flowersim's in the very same
training: backbone, embedding, class-balanced batches, augmentation, optimizer, epochs and the
choice of the epoch by validation. It sees the embedding and the labels of a batch. What is
measured, and how runs are kept, is as in `ablation.py`, with which it shares the file of results.

The libraries are not flowersim's dependencies; those of the variants that run must be installed:

    pip install tensorflow-similarity
    pip install pytorch-metric-learning torch
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras

from benchmarks import ablation
from benchmarks.trained_variants import Variant, parse_options, run_missing
from trainer_module.config import TrainingConfig
from trainer_module.joint_loss import JointLoss

# Of features [B, D], labels [B] and, where a peer has weights, these: the loss, a scalar.
Loss = Callable[..., Any]


class PeerLoss(JointLoss):
    """A peer's loss where flowersim's is; the parts of the latter are only logged."""

    def __init__(
        self,
        config: TrainingConfig,
        num_classes: int,
        *,
        make_peer: Callable[[int, int, int], tuple[Loss, Any]],
        **kwargs: Any,
    ) -> None:
        """Makes the layer.

        Args:
            config: As for `JointLoss`.
            num_classes: C.
            make_peer: Of C, D and the seed, the loss and the first value of its weights, or None.
            **kwargs: Passed to `JointLoss`.
        """
        super().__init__(config, num_classes, **kwargs)
        self._make_peer, self._num_classes = make_peer, num_classes

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the peer's loss for features of shape `[B, D]`."""
        super().build(input_shape)
        self._peer, start = self._make_peer(
            self._num_classes, int(input_shape[-1] or 0), self.config.seed
        )
        self._peer_weights = []
        if start is not None:
            self._peer_weights = [
                self.add_weight(
                    name="peer",
                    shape=start.shape,
                    initializer=keras.initializers.Constant(start),
                )
            ]

    def call(
        self,
        features: Any,
        logits: Any,
        labels: Any,
        sample_weight: Any = None,
        training: bool = False,
    ) -> Any:
        """Returns the peer's loss."""
        own = super().call(features, logits, labels, sample_weight, training)
        # Without a part in the loss the head would have no gradient, which Keras warns of.
        return self._peer(features, labels, *self._peer_weights) + 0.0 * own


def similarity_loss(name: str, **options: Any) -> Callable[..., JointLoss]:
    """A loss of TensorFlow Similarity by its class's name."""

    def make_peer(num_classes: int, dim: int, seed: int) -> tuple[Loss, Any]:
        import tensorflow as tf
        import tensorflow_similarity.losses

        # Keras 3 does not know the default reduction, which means this one.
        kind = getattr(tensorflow_similarity.losses, name)
        loss = kind(reduction="sum_over_batch_size", **options)

        # Its conditions on tensors need AutoGraph, which Keras turns off within layers.
        @tf.function
        def call(features: Any, labels: Any) -> Any:
            return tf.reduce_mean(loss.call(labels, features))

        return call, None

    return functools.partial(PeerLoss, make_peer=make_peer)


def metric_learning_loss(
    name: str, miner: str | None = None, has_weights: bool = False
) -> Callable[..., JointLoss]:
    """A loss of pytorch-metric-learning by its class's name, with a miner if given.

    PyTorch computes the loss of each batch and its gradients; all else stays in TensorFlow. First
    values of weights are brought to length 1 on average: the losses here normalise them, so that
    their length says only how fast the optimizer turns them, and as made by the library they would
    hardly turn at the network's rate.
    """

    def make_peer(num_classes: int, dim: int, seed: int) -> tuple[Loss, Any]:
        import torch
        from pytorch_metric_learning import losses, miners

        # TensorFlow has the cores.
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        size = {"num_classes": num_classes, "embedding_size": dim} if has_weights else {}
        loss = getattr(losses, name)(**size)
        mine = getattr(miners, miner)() if miner else None
        parameters = list(loss.parameters())
        if not parameters:
            return torch_loss(loss, mine), None
        (start,) = (parameter.detach().numpy() for parameter in parameters)
        return torch_loss(loss, mine), start / (start.std() * dim**0.5)

    return functools.partial(PeerLoss, make_peer=make_peer)


def torch_loss(loss: Any, mine: Any) -> Loss:
    """Makes a PyTorch loss one of TensorFlow, with its gradients.

    Args:
        loss: Module of pytorch-metric-learning, with at most one parameter.
        mine: Its miner, or None.
    """
    import numpy as np
    import tensorflow as tf
    import torch

    parameters = list(loss.parameters())

    def compute(features: Any, labels: Any, *weights: Any) -> list[Any]:
        embeddings = torch.tensor(features, requires_grad=True)
        targets = torch.tensor(labels)
        with torch.no_grad():
            for parameter, value in zip(parameters, weights, strict=True):
                parameter.copy_(torch.tensor(value))
        loss.zero_grad()
        extra = [mine(embeddings, targets)] if mine else []
        value = loss(embeddings, targets, *extra)
        value.backward()
        gradients = [tensor.grad for tensor in (embeddings, *parameters)]
        return [np.float32(value.item()), *(gradient.numpy() for gradient in gradients)]

    @tf.custom_gradient
    def call(features: Any, labels: Any, *weights: Any) -> Any:
        inputs = [features, *weights]
        value, *gradients = tf.numpy_function(
            compute, [features, labels, *weights], [tf.float32] * (1 + len(inputs))
        )
        value.set_shape([])
        for gradient, tensor in zip(gradients, inputs, strict=True):
            gradient.set_shape(tensor.shape)

        def backward(upstream: Any) -> Any:
            of_features, *of_weights = (upstream * gradient for gradient in gradients)
            return of_features, None, *of_weights

        return value, backward

    return call


LOSSES: dict[str, Callable[..., JointLoss]] = {
    "TF Similarity: multi-similarity": similarity_loss("MultiSimilarityLoss"),
    "TF Similarity: triplet": similarity_loss("TripletLoss"),
    "TF Similarity: circle": similarity_loss("CircleLoss"),
    "PML: multi-similarity": metric_learning_loss(
        "MultiSimilarityLoss", miner="MultiSimilarityMiner"
    ),
    "PML: triplet": metric_learning_loss("TripletMarginLoss", miner="BatchHardMiner"),
    "PML: proxy anchor": metric_learning_loss("ProxyAnchorLoss", has_weights=True),
    "PML: ArcFace": metric_learning_loss("ArcFaceLoss", has_weights=True),
}

# The recipe's was found with flowersim's losses.
RATES = {
    "": (),
    ", rate ÷ 3": ("training.learning_rate=0.00067",),
    ", rate × 3": ("training.learning_rate=0.006",),
}

VARIANTS = {
    "cross-entropy, linear head": ablation.VARIANTS["cross-entropy, linear head"],
    "cross-entropy + center": ablation.VARIANTS["cross-entropy + center"],
    **{
        f"{name}{rate}": Variant(settings, make_loss=make_loss, has_classifier=False)
        for name, make_loss in LOSSES.items()
        for rate, settings in RATES.items()
    },
}


INTRODUCTION = """\
# Losses of other libraries in the same training

The set-up is that of [the ablation](ablation.md): Oxford Flowers 102 at 64 × 64 pixels, {epochs}
epochs at {input_size} × {input_size} pixels, EfficientNet-Lite0, the same batches, augmentation
and optimizer for all, the epoch chosen by MAP@R on validation, measured once on test. Only the
loss is another: with its defaults, from TensorFlow Similarity or pytorch-metric-learning (PML).
PML's multi-similarity and triplet losses have the miner of the same name or kind beside them; the
first weights of proxy anchor and ArcFace are brought to length 1; TF Similarity's losses get the
reduction that Keras 3 knows. *Linear head* is plain fine-tuning. The recipe was found with
flowersim's losses; of a peer's settings only the learning rate was varied, and only where a row
says so. A row without numbers diverged: its loss became no finite number in the first epochs, and
training stopped.

    python benchmarks/peers.py --report docs/peers.md --seeds 0 1

trains what `benchmarks/results/ablation.jsonl` does not have of this training code, also variants
that are not below; `--variants` names some, and `--no-training` writes the table of what is there.
"""


def main() -> None:
    """Parses the command line, runs what is missing, and writes the table."""
    options = parse_options(str(__doc__), list(VARIANTS))
    run_missing(options, VARIANTS, base="cross-entropy + center", introduction=INTRODUCTION)


if __name__ == "__main__":
    main()
