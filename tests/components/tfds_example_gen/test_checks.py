"""Bad images and copies: what is left out, what is reported, and the messages people read."""

from __future__ import annotations

import io
import os
import pathlib
import struct
import zlib
from typing import Any

import pytest
import tensorflow as tf
from PIL import Image as PillowImage
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from components.tfds_example_gen import report
from components.tfds_example_gen.config import IngestionConfig
from components.tfds_example_gen.images import ReadShard
from components.tfds_example_gen.inspection import Inspector
from components.tfds_example_gen.layout import read_layout
from tests import huge_images

SPLITS = ("train", "validation", "test")


def _png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has many pixels: a decompression bomb."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def _bad(make_photo: Any) -> dict[str, tuple[bytes, str]]:
    """Bad images by name, each with the reason that a person should read."""
    jpeg, png = make_photo(1), make_photo(2, "png")
    garbled = bytearray(png)
    garbled[60:80] = bytes(20)
    return {
        "empty.jpg": (b"", "the file is empty"),
        "page.jpg": (b"<!DOCTYPE html><html></html>", "not an image in JPEG, PNG, GIF or BMP"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "a JPEG that is damaged or cut short"),
        "cut.png": (png[: len(png) // 2], "a PNG that is damaged or cut short"),
        "garbled.png": (bytes(garbled), "a PNG that is damaged or cut short"),
        "bomb.png": (_png_header(60_000, 60_000), "a PNG with too many pixels to decode safely"),
    }


def _ingest(
    folder: pathlib.Path, root: pathlib.Path, *, share: float = 0.0, drop: bool = False
) -> standard_artifacts.Examples:
    """Runs the executor and returns the artifact it wrote."""
    from tfx import v1 as tfx

    from components.tfds_example_gen.component import TfdsExampleGen

    config = IngestionConfig(canonical_size=32, max_bad_share=share, drop_leaks=drop, code="1")
    connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(root / "m.db"))
    tfx.orchestration.LocalDagRunner().run(
        tfx.dsl.Pipeline(
            pipeline_name="checks",
            pipeline_root=str(root / "artifacts"),
            components=[TfdsExampleGen(str(folder), SPLITS, config)],
            metadata_connection_config=connection,
            beam_pipeline_args=["--runner=FnApiRunner", "--sdk_container_image=this-environment"],
        )
    )
    with metadata.Metadata(connection) as store:
        (artifact,) = store.store.get_artifacts_by_type("Examples")
    return artifact


def _ids(uri: str, split: str) -> set[str]:
    files = tf.io.gfile.glob(f"{uri}/Split-{split}/*")
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator()
    examples = map(tf.train.Example.FromString, records)
    return {e.features.feature["id"].bytes_list.value[0].decode() for e in examples}


@pytest.fixture(scope="module")
def inspector() -> Inspector:
    return Inspector(canonical_size=32)


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "bmp"])
def test_good_images_have_no_fault(kind: str, inspector, make_photo):
    assert inspector.fault(make_photo(3, kind)) is None


@pytest.mark.parametrize("name", ["empty.jpg", "page.jpg", "cut.jpg", "cut.png", "garbled.png"])
def test_each_fault_is_named(name: str, inspector, make_photo):
    content, reason = _bad(make_photo)[name]
    assert inspector.fault(content) == reason


def test_a_bomb_is_refused_before_it_is_decoded(inspector, make_photo):
    content, reason = _bad(make_photo)["bomb.png"]
    assert inspector.fault(content) == reason
    buffer = io.BytesIO()
    PillowImage.new("L", (20_000, 20_000)).save(buffer, "jpeg")
    assert inspector.fault(buffer.getvalue()) == "a JPEG with too many pixels to decode safely"


def test_a_photo_of_100_megapixels_is_good_as_a_jpeg_and_refused_as_a_png(inspector):
    """A JPEG is decoded at an eighth of its size; the other formats only as they are."""
    assert inspector.fault(huge_images.jpeg(12_000, 8_400)) is None
    reason = "a PNG with too many pixels to decode safely"
    assert inspector.fault(huge_images.png(12_000, 8_400, honest=False)) == reason


def test_bad_images_are_left_out_and_listed(tmp_path: pathlib.Path, write_dataset, make_photo):
    good = {split: (make_photo(10 + i), 0, f"{split}.jpg") for i, split in enumerate(SPLITS)}
    bad = {name: content for name, (content, _) in _bad(make_photo).items()}
    shards = {split: [[good[split]]] for split in SPLITS}
    shards["train"].append([(content, 1, name) for name, content in bad.items()])
    folder = write_dataset(tmp_path, "bad", ("rose", "lily"), shards)
    artifact = _ingest(folder, tmp_path, share=0.9)
    assert _ids(artifact.uri, "train") == {"train.jpg"}
    found = report.read(artifact.uri)
    assert found.images == {"train": 1, "validation": 1, "test": 1}
    assert found.bad_images == [
        {"id": name, "split": "train", "class_name": "lily", "reason": reason}
        for name, (_, reason) in sorted(_bad(make_photo).items())
    ]
    assert artifact.custom_properties["bad_images"].int_value == len(bad)


@pytest.mark.parametrize(
    ("records", "cut", "message"),
    [
        (3, 10, r"2 of 3 images could be read \(.*\); put a copy"),  # within the last record
        (2, 0, "2 of 3 images could be read; put a copy"),  # as if it had never had the third
        (0, 0, "0 of 3 images could be read; put a copy"),
    ],
)
def test_a_shard_that_is_cut_short_is_named(
    records: int, cut: int, message: str, tmp_path: pathlib.Path, write_dataset, make_photo
):
    import tensorflow_datasets as tfds

    examples = [(make_photo(i), 0, f"{i}.jpg") for i in range(3)]
    folder = write_dataset(tmp_path, "cut", ("rose",), {split: [examples] for split in SPLITS})
    (shard,) = folder.glob("*-train.tfrecord*")
    layout = read_layout(tfds.builder_from_directory(folder))
    read = ReadShard(layout, str(folder), "train")
    assert [image.identity for image in read.process(shard.name)] == ["0.jpg", "1.jpg", "2.jpg"]
    whole = list(tf.data.TFRecordDataset(str(shard)).as_numpy_iterator())
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for record in whole[:records]:
            writer.write(record)
    os.truncate(shard, shard.stat().st_size - cut)
    with pytest.raises(ValueError, match=f"{shard} is damaged or cut short: {message}") as raised:
        list(read.process(shard.name))
    assert str(raised.value).endswith(f"move {folder} away, so that the dataset is prepared anew")


def test_too_many_bad_images_fail_the_run(tmp_path: pathlib.Path, write_dataset, make_photo):
    shards = {split: [[(make_photo(i), 0, split)]] for i, split in enumerate(SPLITS)}
    shards["test"].append([(b"", 0, "nothing.jpg")])
    folder = write_dataset(tmp_path, "bad", ("rose",), shards)
    with pytest.raises(report.IngestionError) as error:
        _ingest(folder, tmp_path, share=0.2)
    assert str(error.value) == (
        "1 of 4 images (25.0%) cannot be used; data.max_bad_share allows 20.0%. Mend or remove "
        "them, or raise data.max_bad_share.\n  test  nothing.jpg: the file is empty"
    )


def _with_copies(tmp_path: pathlib.Path, write_dataset: Any, make_photo: Any) -> pathlib.Path:
    def item(seed: int, name: str) -> tuple[bytes, int, str]:
        return make_photo(seed), 0, name

    shards = {
        "train": [[item(1, "a"), item(2, "b")], [item(3, "c"), item(1, "a again")]],
        "validation": [[item(4, "d"), item(2, "b leaked")]],
        "test": [[item(5, "e"), item(4, "d leaked"), item(2, "b leaked twice")]],
    }
    return write_dataset(tmp_path, "copies", ("rose",), shards)


@pytest.mark.parametrize("drop", [False, True])
def test_copies_are_found_and_leaks_dropped_if_asked(
    drop: bool, tmp_path: pathlib.Path, write_dataset, make_photo
):
    artifact = _ingest(_with_copies(tmp_path, write_dataset, make_photo), tmp_path, drop=drop)
    found = report.read(artifact.uri)
    groups = {
        tuple(image["id"] for image in group["images"]): group["dropped"]
        for group in found.duplicates
    }
    assert groups == {
        ("a", "a again"): [],
        ("b", "b leaked", "b leaked twice"): ["b leaked", "b leaked twice"] if drop else [],
        ("d", "d leaked"): ["d leaked"] if drop else [],
    }
    assert _ids(artifact.uri, "train") == {"a", "a again", "b", "c"}
    assert _ids(artifact.uri, "validation") == {"d"} | (set() if drop else {"b leaked"})
    assert _ids(artifact.uri, "test") == {"e"} | (set() if drop else {"d leaked", "b leaked twice"})
    assert artifact.custom_properties["dropped_duplicates"].int_value == (3 if drop else 0)


def test_a_split_of_nothing_but_leaks_is_refused(tmp_path: pathlib.Path, write_dataset, make_photo):
    shards = {split: [[(make_photo(1), 0, split)]] for split in SPLITS}
    folder = write_dataset(tmp_path, "leaks", ("rose",), shards)
    message = "split validation has no images left: 0 cannot be used, the others are copies"
    with pytest.raises(report.IngestionError, match=message):
        _ingest(folder, tmp_path, drop=True)


@pytest.mark.extended
def test_known_copies_in_the_real_data_are_found(shared_folder, tmp_path: pathlib.Path):
    artifact = _ingest(shared_folder / "data/tfds/oxford_flowers102/2.1.1", tmp_path)
    found = report.read(artifact.uri)
    assert sum(found.images.values()) == 8189
    assert found.bad_images == []
    groups = {
        tuple((image["id"], image["split"]) for image in group["images"])
        for group in found.duplicates
    }
    assert {frozenset(int(i[6:11]) for i, _ in group) for group in groups} == {
        frozenset(pair)
        for pair in [(7015, 7040), (7307, 7309), (8067, 8077), (7323, 7328), (7885, 7886)]
    }
    across = [group for group in groups if len({split for _, split in group}) > 1]
    assert len(across) == 3
