"""A served model whose photos are numbers in text form, its embedded images, and request logs."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.image_embedder import records
from components.similarity_indexer.servable import SimilarityModel, save
from retrieval.cells import class_cells
from retrieval.rows import unit_rows
from retrieval.tf_routed_search import RoutedGallery
from tests.components.number_images import NumberImages

DIM = 4
THRESHOLD = 0.95
CLASSES = 6


def draw(rng: np.random.Generator, count: int, centres: Any = None) -> np.ndarray:
    """Unit rows about class centres, [count, DIM]."""
    if centres is None:
        centres = np.random.default_rng(0).normal(size=(CLASSES, DIM))
    rows = centres[rng.integers(0, len(centres), count)] + 0.25 * rng.normal(size=(count, DIM))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def photo(row: Sequence[float]) -> bytes:
    """The "image" of an embedding."""
    return " ".join(f"{value:.6f}" for value in row).encode()


def predict_log(
    images: Sequence[bytes],
    *,
    signature: str = "serving_default",
    answers: Sequence[tuple[str, str, bool]] | None = None,
    version: int = 5,
) -> bytes:
    """A record as a server writes it: two neighbours for each image, the first as given."""
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    request, response = log.predict_log.request, log.predict_log.response
    for spec in (request.model_spec, response.model_spec):
        spec.name, spec.signature_name = "flowers", signature
        spec.version.value = version
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(list(images), tf.string))
    answers = answers or [("gallery-1", "rose", True)] * len(images)
    columns = zip(*answers, strict=True)
    for name, first, second in zip(
        ("neighbour_ids", "neighbour_class_names", "is_match"),
        columns,
        ("gallery-0", "tulip", False),
        strict=True,
    ):
        rows = [[value, second] for value in first]
        response.outputs[name].CopyFrom(tf.make_tensor_proto(rows))
    return log.SerializeToString()


@pytest.fixture
def write_log(tmp_path: pathlib.Path) -> Callable[..., str]:
    """Gives `write_log(name, contents)`: writes records to a file, and returns its path."""

    def write(name: str, contents: Sequence[bytes]) -> str:
        path = tmp_path / name
        with tf.io.TFRecordWriter(str(path)) as writer:
            for content in contents:
                writer.write(content)
        return str(path)

    return write


def images_of(split: str, rows: np.ndarray) -> records.EmbeddedImages:
    count = len(rows)
    names = [f"{split}-{number:04}".encode() for number in range(count)]
    return records.EmbeddedImages(
        ids=np.array(names, object),
        labels=np.arange(count) % CLASSES,
        class_names=np.array([b"class"] * count, object),
        embeddings=rows,
        thumbnails=np.array([b"small"] * count, object),
    )


@pytest.fixture(scope="session")
def served_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same gallery, "gallery-NNNN", served with an exact and a routed search."""
    folder = tmp_path_factory.mktemp("served")
    tf.saved_model.save(NumberImages(DIM), str(folder / "trained"))
    images = images_of("gallery", draw(np.random.default_rng(1), 120))
    rows = unit_rows(images.embeddings)
    routed = RoutedGallery(rows, class_cells(rows, images.labels, bounds=(1, 40)), probes=1)
    for name, searched in (("exact", None), ("routed", routed)):
        model = SimilarityModel(
            str(folder / "trained"), images, k=2, threshold=THRESHOLD, searched=searched
        )
        save(model, str(folder / name))
    return {name: str(folder / name) for name in ("exact", "routed")}


@pytest.fixture(scope="session")
def embeddings_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An ImageEmbeddings artifact: `test`, not in the gallery; `validation`, the gallery itself."""
    uri = tmp_path_factory.mktemp("embeddings")
    for split, images in (
        ("test", images_of("test", draw(np.random.default_rng(2), 150))),
        ("validation", images_of("gallery", draw(np.random.default_rng(1), 120))),
    ):
        place = pathlib.Path(records.split_folder(str(uri), split))
        place.mkdir()
        path = place / f"{records.FILE_PREFIX}-0{records.FILE_SUFFIX}"
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for number in range(len(images)):
                image = records.EmbeddedImage(
                    images.ids[number],
                    int(images.labels[number]),
                    images.class_names[number],
                    split.encode(),
                    images.embeddings[number],
                    images.thumbnails[number],
                )
                writer.write(records.encode(image))
    return str(uri)
