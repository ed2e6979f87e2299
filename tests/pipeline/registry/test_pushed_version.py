"""Copying a version to an object store: TensorFlow's file system in memory stands for one."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from pipeline.registry.container import check_image, container_spec
from pipeline.registry.pushed_version import PushedVersion, read_version, stage
from pipeline.vertex_ai.errors import VertexError


def test_stage(push: Callable[..., pathlib.Path], monkeypatch: pytest.MonkeyPatch):
    version = read_version(str(push(7)) + "/")
    assert (version.number, version.tensorflow, version.in_bucket) == (7, "2.16.2", False)
    copied: list[str] = []
    copy = tf.io.gfile.copy

    def counted(source: str, target: str, **options: Any) -> None:
        copied.append(source.rpartition("/")[2])
        copy(source, target, **options)

    monkeypatch.setattr(tf.io.gfile, "copy", counted)
    assert stage(version, "ram://staging/", "flowers") == "ram://staging/flowers/7"
    # Until it is there nobody takes the folder for a model.
    assert copied == ["data", "saved_model.pb"]
    with tf.io.gfile.GFile("ram://staging/flowers/7/7/variables/data", "rb") as file:
        assert file.read() == b"weights 7"
    staged = read_version("ram://staging/flowers/7/7")
    assert staged.tensorflow == "2.16.2"
    # A complete copy is not made again, an unfinished one is.
    stage(version, "ram://staging", "flowers")
    assert len(copied) == 2
    tf.io.gfile.remove("ram://staging/flowers/7/7/saved_model.pb")
    stage(version, "ram://staging", "flowers")
    assert len(copied) == 4


def test_where_nothing_can_be_written(push: Callable[..., pathlib.Path], tmp_path: pathlib.Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(VertexError, match="cannot be copied to"):
        stage(read_version(str(push(7))), str(tmp_path / "file"), "flowers")


@pytest.mark.parametrize("content", [b"", b"\xff\xff\xff"])
def test_what_is_no_model(tmp_path: pathlib.Path, content: bytes):
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "saved_model.pb").write_bytes(content)
    if content:
        with pytest.raises(VertexError, match="cannot be read"):
            read_version(str(tmp_path / "5"))
    else:
        assert read_version(str(tmp_path / "5")).tensorflow == ""


def test_images_of_vertex_ai():
    image = "us-docker.pkg.dev/vertex-ai/prediction/tf2-gpu.2-15:latest"
    assert check_image(image, PushedVersion("gs://b/7", 7, "2.15.1")) == image
    with pytest.raises(VertexError, match="saved by 2.16.2"):
        check_image(image, PushedVersion("gs://b/7", 7, "2.16.2"))
    # They know themselves how to start.
    spec = container_spec(image, "flowers")
    assert (list(spec.args), spec.predict_route, list(spec.ports)) == ([], "", [])
