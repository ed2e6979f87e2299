"""The Trainer's SavedModel: from encoded photos to embeddings and classes.

It decodes with the same functions as Transform and resizes with the same function as training, so
what is served is what was trained. The center loss is not part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer_module import features, images
from trainer_module.embedding_model import EmbeddingModel
from trainer_module.vectors import unit


class ExportedModel(tf.Module):
    """What is saved: the network behind the decoder, with its signatures."""

    def __init__(
        self,
        model: EmbeddingModel,
        *,
        canonical_size: int,
        input_size: int,
        class_names: Sequence[str],
    ) -> None:
        """Wraps a trained model.

        Args:
            model: The trained network.
            canonical_size: Shorter side of canonical images in pixels.
            input_size: Side of the network's input in pixels.
            class_names: Names in the order of the head's logits.
        """
        super().__init__()
        # Only these layers: tracking the whole model would save the centers and the optimizer.
        self.layers = [layer for layer in (model.backbone, model.projection) if layer is not None]
        self.head = model.head
        self._canonical_size = canonical_size
        self._input_size = input_size
        # A function of its own: the signatures share one trace of decoder and backbone.
        self._in_use = tf.function(
            lambda encoded: model.in_use(self._batch(encoded)),
            input_signature=[tf.TensorSpec([None], tf.string)],
        )
        self.class_names = tf.Variable(list(class_names), trainable=False, name="class_names")

    def _batch(self, encoded: tf.Tensor) -> tf.Tensor:
        def one(image_bytes: tf.Tensor) -> tf.Tensor:
            canonical = images.canonical(image_bytes, self._canonical_size)
            return images.to_network_input(canonical, self._input_size)

        shape = [self._input_size, self._input_size, 3]
        return tf.map_fn(one, encoded, fn_output_signature=tf.TensorSpec(shape, tf.float32))

    def _embed(self, encoded: tf.Tensor) -> tf.Tensor:
        return unit(self._in_use(encoded)["features"])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def embed_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Serialized raw examples `[B]` to unit embeddings `[B, D]`."""
        return {"embedding": self._embed(features.parse_image(examples))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def embed_images(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encoded images `[B]` to unit embeddings `[B, D]`."""
        return {"embedding": self._embed(image_bytes)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def classify_images(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encoded images `[B]` to class names and probabilities `[B, C]`, best first."""
        probabilities = tf.nn.softmax(self._in_use(image_bytes)["logits"])
        scores, indices = tf.math.top_k(probabilities, k=probabilities.shape[-1])
        return {"class_names": tf.gather(self.class_names, indices), "scores": scores}


def export(model: EmbeddingModel, folder: str, **options: Any) -> None:
    """Saves `ExportedModel(model, **options)` with its signatures to `folder`.

    Signatures: `serving_default` (examples → embedding), `embed_images`, `classify_images`.
    """
    exported = ExportedModel(model, **options)
    tf.saved_model.save(
        exported,
        folder,
        signatures={
            "serving_default": exported.embed_examples,
            "embed_images": exported.embed_images,
            "classify_images": exported.classify_images,
        },
    )
