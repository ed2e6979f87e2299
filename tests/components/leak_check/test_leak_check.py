"""The component on records in files: what is listed, and what is not."""

from __future__ import annotations

import pathlib
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor

from benchmarks.near_duplicates import CHANGES
from components.image_embedder import records
from components.image_embedder.artifact import ImageEmbeddings
from components.image_embedder.records import EmbeddedImage
from components.leak_check import report
from components.leak_check.artifact import NearDuplicates
from components.leak_check.executor import Executor
from components.leak_check.report import NearDuplicate
from components.leak_check.search import FindNearDuplicates

SPLITS = ("train", "validation", "test")
SETTINGS = '{"splits": ["train", "validation", "test"], "likeness": 0.88}'


class Copy(NamedTuple):
    """A changed photo: of which one, how, in which split."""

    photo: int
    change: str
    split: str


# Photos 0–3 are in train, 4–7 in validation, 8–11 in test.
COPIES = (
    Copy(0, "cropped to 88 %", "validation"),
    Copy(0, "compressed", "test"),
    Copy(1, "mirrored", "train"),
    Copy(5, "brighter", "test"),
    Copy(9, "half the size", "validation"),
    Copy(10, "paler", "test"),
)


@pytest.fixture(scope="module")
def images(photos: list[Image.Image], encoded: list[bytes]) -> list[EmbeddedImage]:
    """A class has nearly one embedding, so that the nearest are not all near-duplicates."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(2, 8))
    places = [means[number % 2] + 0.05 * rng.normal(size=8) for number in range(12)]

    def image(name: str, number: int, split: str, thumbnail: bytes) -> EmbeddedImage:
        embedding = (places[number] + 0.01 * rng.normal(size=8)).astype(np.float32)
        kind = number % 2
        text = (name.encode(), f"species {kind}".encode(), split.encode())
        return EmbeddedImage(text[0], kind, text[1], text[2], embedding, thumbnail)

    return [
        *(image(f"{n}.jpg", n, SPLITS[n // 4], data) for n, data in enumerate(encoded)),
        *(
            image(f"ähnlich {copy.photo} {copy.split}", copy.photo, copy.split, data)
            for copy in COPIES
            for data in [CHANGES[copy.change](photos[copy.photo])]
        ),
    ]


def _check(folder: pathlib.Path, images: list[EmbeddedImage], shards: int = 1) -> Any:
    """Runs the executor and returns the artifact it wrote."""
    for split in SPLITS:
        target = pathlib.Path(records.split_folder(str(folder / "embeddings"), split))
        target.mkdir(parents=True)
        own = [image for image in images if image.split.decode() == split]
        for shard in range(shards):
            path = target / f"{records.FILE_PREFIX}-{shard}{records.FILE_SUFFIX}"
            with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
                for image in own[shard::shards]:
                    writer.write(records.encode(image))
    embeddings, found = ImageEmbeddings(), NearDuplicates()
    embeddings.uri, found.uri = str(folder / "embeddings"), str(folder / "found")
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=["--runner=FnApiRunner"], tmp_dir=str(folder / "tmp")
    )
    Executor(context).Do(
        {"embeddings": [embeddings]}, {"near_duplicates": [found]}, {"config": SETTINGS}
    )
    return found


def _read(artifact: Any) -> list[NearDuplicate]:
    path = pathlib.Path(artifact.uri) / report.FILE
    return report.loads(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, images: list[EmbeddedImage]) -> Any:
    return _check(tmp_path_factory.mktemp("leaks"), images)


def test_lists_what_looks_like_an_image_of_an_earlier_split(found: Any) -> None:
    pairs = {(image.id, image.original_id) for image in _read(found)}
    # The test copy of 0 looks like the photo and like its other copy; either is an original.
    assert ("ähnlich 0 test", "0.jpg") in pairs or (
        "ähnlich 0 test",
        "ähnlich 0 validation",
    ) in pairs
    assert {pair for pair in pairs if pair[0] != "ähnlich 0 test"} == {
        ("ähnlich 0 validation", "0.jpg"),
        ("ähnlich 5 test", "5.jpg"),
        ("9.jpg", "ähnlich 9 validation"),
    }
    assert found.get_int_custom_property("images") == 4


def test_tells_what_is_known_of_both(found: Any) -> None:
    (image,) = (image for image in _read(found) if image.id == "9.jpg")
    assert (image.split, image.class_name) == ("test", "species 1")
    assert (image.original_split, image.original_class_name) == ("validation", "species 1")
    assert 0.88 <= image.likeness <= 1.0 and 0.9 < image.cosine <= 1.0
    ranked = [other.likeness for other in _read(found)]
    assert ranked == sorted(ranked, reverse=True)


def test_files_and_their_order_change_nothing(
    tmp_path: pathlib.Path, found: Any, images: list[EmbeddedImage]
) -> None:
    assert _read(_check(tmp_path, images[::-1], shards=3)) == _read(found)


def test_an_empty_list_where_there_is_none(
    tmp_path: pathlib.Path, images: list[EmbeddedImage]
) -> None:
    artifact = _check(tmp_path, images[:12])
    assert _read(artifact) == []
    assert artifact.get_int_custom_property("images") == 0


def test_shards_of_the_search_change_nothing(
    tmp_path: pathlib.Path, found: Any, images: list[EmbeddedImage]
) -> None:
    import apache_beam as beam

    path = tmp_path / "found.json"
    with beam.Pipeline() as pipeline:
        _ = (
            pipeline
            | beam.Create([records.encode(image) for image in images])
            | FindNearDuplicates(SPLITS, 0.88, shard_rows=2)
            | beam.combiners.ToList()
            | beam.Map(lambda images: path.write_text(report.dumps(images), "utf-8"))
        )
    assert report.loads(path.read_text("utf-8")) == _read(found)
