"""Records of an embedded gallery: what is written is what is read, in the order of the ids."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from components.image_embedder import records


def write(folder: pathlib.Path, split: str, ids: list[bytes]) -> None:
    target = pathlib.Path(records.split_folder(str(folder), split))
    target.mkdir(parents=True)
    path = target / f"{records.FILE_PREFIX}-00000-of-00001{records.FILE_SUFFIX}"
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for identity in ids:
            writer.write(
                records.encode(
                    records.EmbeddedImage(
                        identity=identity,
                        label=int(identity[-1:]),
                        class_name=b"class " + identity[-1:],
                        split=split.encode(),
                        embedding=np.full(3, int(identity[-1:]), np.float32),
                        thumbnail=b"thumbnail of " + identity,
                    )
                )
            )


def test_splits_are_read_together_sorted_by_id(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "train", [b"b2", b"a1"])
    write(tmp_path, "validation", [b"a\x00\xff3"])
    write(tmp_path, "test", [b"c9"])
    gallery = records.read(str(tmp_path), ["validation", "train"])
    assert list(gallery.ids) == [b"a\x00\xff3", b"a1", b"b2"]
    assert gallery.labels.tolist() == [3, 1, 2]
    assert list(gallery.class_names) == [b"class 3", b"class 1", b"class 2"]
    assert gallery.embeddings.dtype == np.float32
    assert gallery.embeddings.tolist() == [[3.0] * 3, [1.0] * 3, [2.0] * 3]
    assert gallery.thumbnails[2] == b"thumbnail of b2"
    assert len(gallery) == 3


def test_an_id_that_comes_twice_is_named(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "train", [b"a1", b"b2"])
    write(tmp_path, "test", [b"a1"])
    with pytest.raises(ValueError, match="a1"):
        records.read(str(tmp_path), ["train", "test"])


def test_a_split_without_images_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="no image of split train or test is embedded"):
        records.read(str(tmp_path), ["train", "test"])
