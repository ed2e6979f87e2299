"""The SavedModel that a model server loads: photos in, the gallery's nearest images out.

It wraps the Trainer's SavedModel, so pixels are decoded and embedded by the very graph that was
evaluated. The gallery is held in variables: a graph constant could not exceed 2 GB. Searching is
exact (`retrieval/tf_search.py`) or routed (`retrieval/tf_routed_search.py`).

Signatures, with B images in a request and K neighbours (fixed here; clients cut the list):

serving_default, similar
    image_bytes [B] → neighbour_ids, neighbour_class_names (string), neighbour_labels (int64),
    neighbour_scores (float32, cosine) and is_match (bool), each [B, K], best first. Where the
    gallery is smaller than K the rest is id "", class name "", label −1, score −1 and no match.
embed
    image_bytes [B] → embedding [B, D], rows of length 1.
embed_examples
    examples [B], serialized raw tf.Examples → embedding [B, D].
classify_image
    image_bytes [B] → class_names and scores [B, C], most probable first.
thumbnail
    ids [B] → thumbnail_bytes [B], JPEG; an unknown id is an InvalidArgument error that names it.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from components.image_embedder.records import EmbeddedImages
from retrieval.rows import unit_rows
from retrieval.tf_routed_search import RoutedGallery
from retrieval.tf_search import ExactGallery

# Attributes of the model below, by which its variables are found in the checkpoint.
IDS_VARIABLE = "ids"
CLASS_NAMES_VARIABLE = "class_names"

_BUCKETS = 2**62
_NO_SCORE = -1.0

_IMAGES = tf.TensorSpec([None], tf.string, name="image_bytes")


class SimilarityModel(tf.Module):
    """What is saved."""

    def __init__(
        self,
        model_folder: str,
        gallery: EmbeddedImages,
        *,
        k: int,
        threshold: float,
        searched: ExactGallery | RoutedGallery | None = None,
    ) -> None:
        """Composes the model.

        Args:
            model_folder: The Trainer's SavedModel.
            gallery: What can be found; N ≥ 1 images.
            k: K, the neighbours in each answer.
            threshold: Cosine from which on a neighbour counts as a match; inf for never.
            searched: The gallery's embeddings, in its order, and how they are searched; exactly by
                default.
        """
        super().__init__()
        self._model = tf.saved_model.load(model_folder)
        self._k = k
        self.threshold = tf.Variable(threshold, trainable=False, dtype=tf.float32, name="threshold")
        self._size = len(gallery)
        self.searched = searched or ExactGallery(unit_rows(gallery.embeddings))
        # One entry behind the gallery, for padding.
        self.ids = _strings([*gallery.ids, b""], "gallery_ids")
        self.class_names = _strings([*gallery.class_names, b""], "gallery_class_names")
        self.labels = tf.Variable(
            np.append(gallery.labels, -1), trainable=False, dtype=tf.int64, name="gallery_labels"
        )
        self.thumbnails = _strings(list(gallery.thumbnails), "gallery_thumbnails")
        self._key, hashes = _distinct_hashes(gallery.ids)
        order = np.argsort(hashes)
        self.sorted_hashes = tf.Variable(hashes[order], trainable=False, name="id_hashes")
        self.hash_rows = tf.Variable(order.astype(np.int64), trainable=False, name="id_rows")

    @tf.function(input_signature=[_IMAGES])
    def similar(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Finds the nearest gallery images of each photo."""
        queries = self._model.embed_images(image_bytes)["embedding"]
        scores, rows = self.searched.nearest(queries, self._k)
        found = rows >= 0
        rows = tf.where(found, rows, tf.constant(self._size, tf.int64))
        return {
            "neighbour_ids": tf.gather(self.ids, rows),
            "neighbour_labels": tf.gather(self.labels, rows),
            "neighbour_class_names": tf.gather(self.class_names, rows),
            # JSON has no infinity.
            "neighbour_scores": tf.where(found, scores, _NO_SCORE),
            "is_match": tf.logical_and(found, scores >= self.threshold),
        }

    @tf.function(input_signature=[_IMAGES])
    def embed(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Embeds photos."""
        return {"embedding": self._model.embed_images(image_bytes)["embedding"]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def embed_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Embeds the images of serialized examples."""
        return {"embedding": self._model.embed_examples(examples)["embedding"]}

    @tf.function(input_signature=[_IMAGES])
    def classify_image(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Tells the class of photos, by the head that was trained with the embedding."""
        return dict(self._model.classify_images(image_bytes))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="ids")])
    def thumbnail(self, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        """Looks up the thumbnails of gallery images."""
        hashes = tf.strings.to_hash_bucket_strong(ids, _BUCKETS, self._key)
        place = tf.searchsorted(self.sorted_hashes, hashes, out_type=tf.int64)
        last = tf.shape(self.hash_rows, out_type=tf.int64)[0] - 1
        rows = tf.gather(self.hash_rows, tf.minimum(place, last))
        unknown = tf.boolean_mask(ids, tf.gather(self.ids, rows) != ids)
        check = tf.debugging.Assert(
            tf.equal(tf.size(unknown), 0), ["not in the gallery:", unknown], summarize=10
        )
        with tf.control_dependencies([check]):
            return {"thumbnail_bytes": tf.gather(self.thumbnails, rows)}


def save(model: SimilarityModel, folder: str) -> None:
    """Writes the SavedModel with its signatures to `folder`."""
    tf.saved_model.save(
        model,
        folder,
        signatures={
            "serving_default": model.similar,
            "similar": model.similar,
            "embed": model.embed,
            "embed_examples": model.embed_examples,
            "classify_image": model.classify_image,
            "thumbnail": model.thumbnail,
        },
    )


def _strings(values: list[bytes], name: str) -> tf.Variable:
    return tf.Variable(tf.constant(values, tf.string), trainable=False, name=name)


def _distinct_hashes(ids: np.ndarray) -> tuple[list[int], np.ndarray]:
    """A key under which all ids have different 62-bit hashes, and these; int64 `[N]`."""
    for attempt in range(16):
        key = [attempt, 0]
        hashes = tf.strings.to_hash_bucket_strong(ids.astype(bytes), _BUCKETS, key).numpy()
        if len(np.unique(hashes)) == len(hashes):
            return key, hashes
    raise ValueError("ids of the gallery are not distinct")
