"""A bucket in this process: TensorFlow's file system in memory, for code that is given URLs."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from unittest import mock

import tensorflow as tf


@contextlib.contextmanager
def memory_bucket() -> Iterator[str]:
    """Yields the URL of an empty folder.

    Overwriting replaces, as in a bucket; TensorFlow's memory would append to what is there.
    """
    copy = tf.io.gfile.copy

    def copy_anew(src: str, dst: str, overwrite: bool = False) -> None:
        if overwrite:
            _remove(dst)
        copy(src, dst, overwrite)

    with (
        mock.patch.object(tf.io.gfile, "GFile", _NewFile),
        mock.patch.object(tf.io.gfile, "copy", copy_anew),
    ):
        yield f"ram://{uuid.uuid4()}"


class _NewFile(tf.io.gfile.GFile):
    """A file that is empty when it is opened to be written."""

    def __init__(self, name: str, mode: str = "r") -> None:
        if "w" in mode:
            _remove(name)
        super().__init__(name, mode)


def _remove(path: str) -> None:
    if path.startswith("ram://") and tf.io.gfile.exists(path):
        tf.io.gfile.remove(path)
