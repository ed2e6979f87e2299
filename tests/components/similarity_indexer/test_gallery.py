"""The gallery with what was added and removed by hand, and what a saved model says it holds."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf

from components.gallery_edit.edits import unseen_label
from components.gallery_edit.ledger import GalleryError
from components.image_embedder.records import EmbeddedImages
from components.similarity_indexer.calibration import exact_neighbours, match_threshold
from components.similarity_indexer.gallery import with_added, without
from components.similarity_indexer.gallery_ids import gallery_images
from components.similarity_indexer.servable import SimilarityModel, save


def _images(rows: Sequence[tuple[str, int, str]], seed: int = 0) -> EmbeddedImages:
    """Images `(id, label, class name)`, in the order of ids as `records.read` gives them."""
    rows = sorted(rows)
    vectors = np.random.default_rng(seed).normal(size=(len(rows), 4)).astype(np.float32)
    return EmbeddedImages(
        ids=np.array([row[0].encode() for row in rows], object),
        labels=np.array([row[1] for row in rows], np.int64),
        class_names=np.array([row[2].encode() for row in rows], object),
        embeddings=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        thumbnails=np.array([f"thumbnail of {row[0]}".encode() for row in rows], object),
    )


def _rows(images: EmbeddedImages) -> dict[str, tuple]:
    """Everything that is known of an image, by id."""
    return {
        identity.decode(): (
            int(images.labels[i]),
            images.class_names[i],
            images.thumbnails[i],
            images.embeddings[i].tolist(),
        )
        for i, identity in enumerate(images.ids)
    }


DATASET = _images([("a", 0, "rose"), ("c", 1, "lily"), ("é", 0, "rose")])
ADDED = _images([("b", unseen_label("lily"), "lily"), ("z", unseen_label("fern"), "fern")], seed=1)


def test_added_photos_stand_among_the_images_in_the_order_of_ids() -> None:
    together = with_added(DATASET, ADDED)
    assert together.ids.tolist() == [b"a", b"b", b"c", b"z", "é".encode()]
    rows = _rows(together)
    for identity, row in _rows(DATASET).items():
        assert rows[identity] == row
    for identity, row in _rows(ADDED).items():
        assert rows[identity][1:] == row[1:]


def test_a_class_that_the_dataset_has_keeps_its_label() -> None:
    rows = _rows(with_added(DATASET, ADDED))
    assert rows["b"][0] == 1 and rows["z"][0] == unseen_label("fern")
    assert with_added(DATASET, ADDED).labels.dtype == np.int64


def test_of_two_images_with_one_id_that_of_the_dataset_is_taken() -> None:
    added = _images([("b", -5, "fern"), ("c", -5, "fern")], seed=2)
    rows = _rows(with_added(DATASET, added))
    assert rows["c"] == _rows(DATASET)["c"] and set(rows) == {"a", "b", "c", "é"}


@pytest.mark.parametrize("gone", [[], ["c"], ["é", "a"], ["a", "c", "é"], ["never there", "c"]])
def test_removed_images_are_left_out(gone: list[str]) -> None:
    left = _rows(without(DATASET, gone))
    assert left == {i: row for i, row in _rows(DATASET).items() if i not in gone}


def test_without_queries_nothing_is_a_match() -> None:
    nobody = without(DATASET, ["a", "c", "é"])
    neighbours = exact_neighbours(nobody, DATASET, 2)
    assert match_threshold(neighbours, nobody, DATASET, precision=0.9) == float("inf")


class Anything(tf.Module):
    """Stands in for the Trainer's model."""

    _spec = [tf.TensorSpec([None], tf.string)]

    @tf.function(input_signature=_spec)
    def embed_images(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"embedding": tf.ones([tf.size(image_bytes), 4]) / 2.0}

    @tf.function(input_signature=_spec)
    def embed_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"embedding": tf.ones([tf.size(examples), 4]) / 2.0}

    @tf.function(input_signature=_spec)
    def classify_images(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = tf.ones([tf.size(image_bytes), 1])
        return {"class_names": tf.fill(tf.shape(scores), "x"), "scores": scores}


def test_a_saved_model_tells_what_it_holds(tmp_path: pathlib.Path) -> None:
    tf.saved_model.save(Anything(), str(tmp_path / "trained"))
    gallery = with_added(DATASET, ADDED)
    save(
        SimilarityModel(
            str(tmp_path / "trained"),
            gallery,
            k=3,
            threshold=0.5,
        ),
        str(tmp_path / "served"),
    )
    assert gallery_images(str(tmp_path / "served")) == {
        "a": "rose",
        "b": "lily",
        "c": "lily",
        "z": "fern",
        "é": "rose",
    }
    for name in ("trained", "nowhere"):
        with pytest.raises(GalleryError, match=f"{name} is no similarity model"):
            gallery_images(str(tmp_path / name))
