"""A small similarity model for the page's tests, with a pushed model's signatures.

It compares images by their mean colour, so that a test knows what must be found, and an image that
was converted or reduced on its way is found out by its scores. TensorFlow is imported when it is
called.
"""

from __future__ import annotations

import colorsys
import io
import pathlib

import numpy as np
from PIL import Image

CLASSES = ["crimson", "amber", "lime", "azure", "müllerröschen"]
PER_CLASS = 5
K = 20
THRESHOLD = 0.95


def colour(label: int, number: int) -> tuple[int, int, int]:
    """The colour of an image of the gallery: its class's hue, the less saturated the later."""
    red, green, blue = colorsys.hsv_to_rgb(label / len(CLASSES), 1 - number / 10, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)


def picture(rgb: tuple[int, int, int], size: tuple[int, int] = (90, 60), seed: int = 0):
    """An image of about this colour, with some texture."""
    noise = np.random.default_rng(seed).integers(-12, 13, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.array(rgb) + noise, 0, 255).astype(np.uint8))


def encoded(image, kind: str, **options) -> bytes:
    """An image's file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def save(folder: pathlib.Path, *, thumbnails: bool = True, classes: list[str] = CLASSES) -> None:
    """Writes the SavedModel to `folder`; its gallery's ids are `CLASS/NUMBER.jpg`."""
    import tensorflow as tf

    members = [(label, n) for label in range(len(classes)) for n in range(PER_CLASS)]
    files = [encoded(picture(colour(*one), seed=7), "jpeg", quality=95) for one in members]
    ids = [f"{classes[label]}/{n}.jpg".encode() for label, n in members]

    def embeddings(images):
        def mean(data):
            decoded = tf.io.decode_image(data, channels=3, expand_animations=False)
            return tf.reduce_mean(tf.cast(decoded, tf.float32), [0, 1])

        means = tf.map_fn(mean, images, fn_output_signature=tf.float32)
        return tf.math.l2_normalize(means - 128.0, axis=1)

    class Model(tf.Module):
        def __init__(self):
            super().__init__()
            self.gallery = tf.Variable(embeddings(tf.constant(files)))
            self.ids = tf.Variable([*ids, b""])
            self.labels = tf.Variable([*(label for label, _ in members), -1], dtype=tf.int64)
            self.names = tf.Variable([*(classes[label].encode() for label, _ in members), b""])
            self.files = tf.Variable(files)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def similar(self, image_bytes):
            cosines = tf.matmul(embeddings(image_bytes), self.gallery, transpose_b=True)
            found = min(K, len(members))
            scores, rows = tf.math.top_k(cosines, found)
            fill = [[0, 0], [0, K - found]]
            rows = tf.pad(rows, fill, constant_values=len(members))
            return {
                "neighbour_ids": tf.gather(self.ids, rows),
                "neighbour_labels": tf.gather(self.labels, rows),
                "neighbour_class_names": tf.gather(self.names, rows),
                "neighbour_scores": tf.pad(scores, fill, constant_values=-1.0),
                "is_match": tf.pad(scores, fill, constant_values=-1.0) >= THRESHOLD,
            }

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="ids")])
        def thumbnail(self, ids):
            same = tf.equal(ids[:, None], self.ids[None, :-1])
            check = tf.debugging.Assert(tf.reduce_all(tf.reduce_any(same, 1)), ["no such id", ids])
            with tf.control_dependencies([check]):
                return {
                    "thumbnail_bytes": tf.gather(self.files, tf.argmax(tf.cast(same, tf.int32), 1))
                }

    model = Model()
    signatures = {"serving_default": model.similar, "similar": model.similar}
    if thumbnails:
        signatures["thumbnail"] = model.thumbnail
    tf.saved_model.save(model, str(folder), signatures=signatures)
