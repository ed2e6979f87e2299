"""Examples of noise, and small models that find them: a good one, and ways to be a bad one."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from components.image_embedder.records import EmbeddedImages
from components.serving_check.config import ServingCheckConfig
from components.similarity_indexer.servable import SimilarityModel, save
from trainer_module import features

GALLERY = 5
STRANGERS = 4
_IMAGES = tf.TensorSpec([None], tf.string)


class Thumbnails(tf.Module):
    """Stands in for the Trainer's model: embeds a photo as its 16 pixels when it is made small."""

    @tf.function(input_signature=[_IMAGES])
    def embed_images(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        def one(encoded: tf.Tensor) -> tf.Tensor:
            image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
            small = tf.image.resize(image, [4, 4], method="area")
            return tf.reshape(small, [48]) - 127.5

        rows = tf.map_fn(one, image_bytes, fn_output_signature=tf.TensorSpec([48], tf.float32))
        return {"embedding": tf.math.l2_normalize(rows, axis=1)}

    @tf.function(input_signature=[_IMAGES])
    def embed_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.embed_images(features.parse_image(examples))

    @tf.function(input_signature=[_IMAGES])
    def classify_images(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = tf.nn.softmax(self.embed_images(image_bytes)["embedding"][:, :3])
        order = tf.argsort(scores, direction="DESCENDING")
        return {
            "class_names": tf.gather(["rose", "tulip", "müllerröschen"], order),
            "scores": tf.gather(scores, order, batch_dims=1),
        }


@pytest.fixture(scope="session")
def photos(make_photo: Callable[..., bytes]) -> list[bytes]:
    """Those of the gallery first."""
    return [make_photo(seed) for seed in range(GALLERY + STRANGERS)]


@pytest.fixture(scope="session")
def examples_folder(tmp_path_factory: pytest.TempPathFactory, photos: list[bytes]) -> pathlib.Path:
    """Raw examples in the splits train, which is the gallery, and test."""
    folder = tmp_path_factory.mktemp("examples")

    def text(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    for split, part in (("train", slice(0, GALLERY)), ("test", slice(GALLERY, None))):
        path = folder / f"Split-{split}" / "data_tfrecord-00000-of-00001.gz"
        path.parent.mkdir()
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for index, photo in enumerate(photos[part]):
                example = tf.train.Example()
                fields = example.features.feature
                fields[features.IMAGE].CopyFrom(text(photo))
                fields[features.ID].CopyFrom(text(f"{split} ü{index}".encode()))
                fields[features.CLASS_NAME].CopyFrom(text(b"rose"))
                fields[features.SPLIT].CopyFrom(text(split.encode()))
                fields[features.LABEL].int64_list.value.append(0)
                writer.write(example.SerializeToString())
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The stand-in for the Trainer's SavedModel."""
    folder = str(tmp_path_factory.mktemp("trained"))
    tf.saved_model.save(Thumbnails(), folder)
    return folder


@pytest.fixture(scope="session")
def gallery(trained: str, photos: list[bytes]) -> EmbeddedImages:
    """What the models find: fewer than they list, so that the end is padding."""
    embedded = tf.saved_model.load(trained).embed_images(tf.constant(photos[:GALLERY]))
    return EmbeddedImages(
        ids=np.array([f"train ü{index}".encode() for index in range(GALLERY)], object),
        labels=np.arange(GALLERY, dtype=np.int64),
        class_names=np.array([f"class {index}".encode() for index in range(GALLERY)], object),
        embeddings=embedded["embedding"].numpy(),
        thumbnails=np.array([f"thumbnail {index}".encode() for index in range(GALLERY)], object),
    )


@pytest.fixture(scope="session")
def good_model(
    tmp_path_factory: pytest.TempPathFactory, trained: str, gallery: EmbeddedImages
) -> pathlib.Path:
    """What SimilarityIndexer writes."""
    folder = tmp_path_factory.mktemp("good")
    save(SimilarityModel(trained, gallery, k=7, threshold=0.5), str(folder))
    return folder


@pytest.fixture(scope="session")
def config() -> ServingCheckConfig:
    """Of a check that is over soon."""
    return ServingCheckConfig(
        model_name="flowers",
        gallery_splits=("train",),
        search_is_exact=True,
        examples=6,
        requests=20,
        max_latency_ms=5_000.0,
        max_memory_mb=8_000.0,
        load_timeout_seconds=120.0,
        request_timeout_seconds=60.0,
        warmup_batch_sizes=(1, 4),
    )
