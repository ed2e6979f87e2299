"""The component's executor with each kind of search: what it writes, and what it says of it."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from tfx import v1 as tfx

from components.image_embedder import records
from components.image_embedder.artifact import ImageEmbeddings
from components.similarity_indexer.executor import Executor, IndexerConfig
from retrieval import search
from tests.components.number_images import NumberImages

SIZE, DIM, CLASSES, K = 240, 16, 12, 7


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    rng = np.random.default_rng(0)
    labels = np.arange(SIZE) % CLASSES
    rows = rng.normal(size=(CLASSES, DIM))[labels] + rng.normal(size=(SIZE, DIM))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def inputs(rows: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    """A Trainer's model, and embeddings: two thirds train, the rest validation."""
    folder: pathlib.Path = tmp_path_factory.mktemp("inputs")
    model = tfx.types.standard_artifacts.Model()
    model.uri = str(folder / "model")
    tf.saved_model.save(NumberImages(DIM), str(folder / "model" / "Format-Serving"))
    embeddings = ImageEmbeddings()
    embeddings.uri = str(folder / "embeddings")
    for split, start in (("train", 0), ("validation", 2 * SIZE // 3)):
        place = pathlib.Path(records.split_folder(embeddings.uri, split))
        place.mkdir(parents=True)
        path = str(place / f"{records.FILE_PREFIX}-0{records.FILE_SUFFIX}")
        with tf.io.TFRecordWriter(path, "GZIP") as writer:
            for i in range(start, 2 * SIZE // 3 if split == "train" else SIZE):
                image = records.EmbeddedImage(
                    identity=f"{i:04}".encode(),
                    label=i % CLASSES,
                    class_name=f"class {i % CLASSES}".encode(),
                    split=split.encode(),
                    embedding=rows[i],
                    thumbnail=b"small",
                )
                writer.write(records.encode(image))
    return {"model": [model], "embeddings": [embeddings]}


def _index(inputs: dict[str, list], folder: pathlib.Path, **changes: object) -> tuple:
    """The signature `similar` of the index, and the artifact's properties."""
    config = IndexerConfig(
        splits=("train", "validation"),
        neighbours=K,
        calibration_split="validation",
        match_precision=0.5,
        **changes,  # type: ignore[arg-type]
    )
    servable = tfx.types.standard_artifacts.Model()
    servable.uri = str(folder)
    properties = {"config": json.dumps(dataclasses.asdict(config))}
    Executor().Do(inputs, {"servable": [servable]}, properties)
    loaded = tf.saved_model.load(str(folder / "Format-Serving"))
    named = ("gallery_size", "match_threshold", "gallery_cells", "probed_cells", "routed_recall")
    about = {name: servable.get_custom_property(name) for name in named}
    return loaded.signatures["similar"], about


def _photos(rows: np.ndarray) -> tf.Tensor:
    return tf.constant([" ".join(str(number) for number in row) for row in rows])


def test_routed_search_of_all_cells_is_the_exact_search(
    rows: np.ndarray, inputs: dict[str, list], tmp_path: pathlib.Path
) -> None:
    exact, about_exact = _index(inputs, tmp_path / "exact")
    routed, about = _index(inputs, tmp_path / "routed", search="routed", probes=1000)
    photos = _photos(rows[::5] + 0.1)
    found, expected = routed(image_bytes=photos), exact(image_bytes=photos)
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name])
    unknown = dict.fromkeys(("gallery_cells", "probed_cells", "routed_recall"))
    assert about_exact == {**about, **unknown}
    assert about["gallery_size"] == SIZE and about["routed_recall"] == 1.0
    assert about["gallery_cells"] == about["probed_cells"] == CLASSES


def test_what_few_probes_miss_is_measured(
    rows: np.ndarray, inputs: dict[str, list], tmp_path: pathlib.Path
) -> None:
    signature, about = _index(inputs, tmp_path, search="routed", probes=2)
    assert (about["gallery_cells"], about["probed_cells"]) == (CLASSES, 2)
    # The same by what the served model answers: the photo itself, then its neighbours.
    queries = np.arange(2 * SIZE // 3, SIZE)
    ids = signature(image_bytes=_photos(rows[queries]))["neighbour_ids"].numpy().astype(int)
    _, nearest = search.top_k(rows[queries], rows, K)
    served = np.mean([np.isin(a[1:], b[1:]).mean() for a, b in zip(nearest, ids, strict=True)])
    assert 0.2 < served < 0.99
    assert about["routed_recall"] == pytest.approx(served, abs=0.02)
