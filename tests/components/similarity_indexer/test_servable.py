"""The served model on a stand-in for the Trainer's: search, padding, match flag, thumbnails."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from components.image_embedder.records import EmbeddedImages
from components.similarity_indexer.servable import SimilarityModel, save
from retrieval.cells import class_cells
from retrieval.rows import unit_rows
from retrieval.tf_routed_search import RoutedGallery
from tests.components.number_images import NumberImages


def gallery(embeddings: list[list[float]], labels: list[int]) -> EmbeddedImages:
    n = len(labels)
    rows = np.array(embeddings, np.float32)
    return EmbeddedImages(
        ids=np.array([f"photo ü{i}".encode() for i in range(n)], object),
        labels=np.array(labels, np.int64),
        class_names=np.array([f"class {label}".encode() for label in labels], object),
        embeddings=rows / np.linalg.norm(rows, axis=1, keepdims=True),
        thumbnails=np.array([f"thumbnail {i}".encode() for i in range(n)], object),
    )


@pytest.fixture(scope="module", params=["exact", "routed"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder: pathlib.Path = tmp_path_factory.mktemp("models")
    tf.saved_model.save(NumberImages(2), str(folder / "trained"))
    images = gallery([[1, 0], [0, 1], [1, 1]], [7, 8, 7])
    searched = None
    if request.param == "routed":
        rows = unit_rows(images.embeddings)
        searched = RoutedGallery(rows, class_cells(rows, images.labels, bounds=(1, 2)), probes=1)
    save(
        SimilarityModel(str(folder / "trained"), images, k=5, threshold=0.7, searched=searched),
        str(folder / "served"),
    )
    return tf.saved_model.load(str(folder / "served")).signatures


def test_neighbours_come_by_cosine_and_are_padded(served: dict) -> None:
    found = served["similar"](image_bytes=tf.constant(["2.0 0.0", "0.1 0.2"]))
    found = {name: value.numpy() for name, value in found.items()}
    assert {value.shape for value in found.values()} == {(2, 5)}
    ids = [[identity.decode() for identity in row] for row in found["neighbour_ids"]]
    assert ids[0] == ["photo ü0", "photo ü2", "photo ü1", "", ""]
    assert ids[1] == ["photo ü2", "photo ü1", "photo ü0", "", ""]
    np.testing.assert_allclose(found["neighbour_scores"][0], [1, 0.5**0.5, 0, -1, -1], atol=1e-6)
    assert found["neighbour_labels"][0].tolist() == [7, 7, 8, -1, -1]
    assert found["neighbour_class_names"][0].tolist() == [
        b"class 7",
        b"class 7",
        b"class 8",
        b"",
        b"",
    ]
    assert found["is_match"][0].tolist() == [True, True, False, False, False]


def test_serving_default_is_similar(served: dict) -> None:
    photo = tf.constant(["0.3 0.4"])
    one, other = served["serving_default"](image_bytes=photo), served["similar"](image_bytes=photo)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_an_empty_batch_is_answered(served: dict) -> None:
    found = served["similar"](image_bytes=tf.constant([], tf.string))
    assert found["neighbour_ids"].shape == (0, 5)


def test_thumbnails_by_id(served: dict) -> None:
    found = served["thumbnail"](ids=tf.constant(["photo ü2", "photo ü0"]))["thumbnail_bytes"]
    assert found.numpy().tolist() == [b"thumbnail 2", b"thumbnail 0"]
    for unknown in ("", "zzz", "photo"):
        with pytest.raises(tf.errors.InvalidArgumentError, match="not in the gallery"):
            served["thumbnail"](ids=tf.constant(["photo ü2", unknown]))
