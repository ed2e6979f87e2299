"""Small files on a local disk or in a bucket: read, listed, and written whole or not at all.

TensorFlow's file system serves URLs, and is imported for these only. In a bucket an object appears
when its last byte has arrived; on a disk a file is written beside its place and renamed. Not for
folders of files, which no bucket can rename: what belongs together needs an order of writing, with
what names the rest last.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

PathLike = str | os.PathLike[str]


def is_url(path: PathLike) -> bool:
    """Whether a path leads to a bucket or the like; those are no `pathlib.Path`s."""
    return "://" in os.fspath(path)


def read(path: PathLike) -> bytes:
    """Returns what a file holds.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read.
    """
    if not is_url(path):
        return pathlib.Path(path).read_bytes()
    import tensorflow as tf

    with _as_os_errors(path), tf.io.gfile.GFile(os.fspath(path), "rb") as file:
        return bytes(file.read())


def write(path: PathLike, content: bytes) -> None:
    """Writes a file, whole or not at all; its folder is made if it does not exist.

    Raises:
        OSError: It cannot be written.
    """
    if not is_url(path):
        place = pathlib.Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(f"{place.name}.partial")
        partial.write_bytes(content)
        partial.replace(place)
        return
    import tensorflow as tf

    with _as_os_errors(path), tf.io.gfile.GFile(os.fspath(path), "wb") as file:
        file.write(content)


def exists(path: PathLike) -> bool:
    """Whether there is a file or a folder."""
    if not is_url(path):
        return os.path.exists(path)
    import tensorflow as tf

    return bool(tf.io.gfile.exists(os.fspath(path)))


def file_names(folder: PathLike) -> list[str]:
    """Names of the files in a folder, sorted; none if it does not exist."""
    if not is_url(folder):
        place = pathlib.Path(folder)
        return sorted(p.name for p in place.iterdir() if p.is_file()) if place.is_dir() else []
    import tensorflow as tf

    if not tf.io.gfile.isdir(os.fspath(folder)):
        return []
    # Buckets mark what has more below it with a slash.
    return sorted(n for n in tf.io.gfile.listdir(os.fspath(folder)) if not n.endswith("/"))


def remove(path: PathLike) -> None:
    """Deletes a file.

    Raises:
        OSError: It cannot be deleted.
    """
    if not is_url(path):
        os.remove(path)
        return
    import tensorflow as tf

    with _as_os_errors(path):
        tf.io.gfile.remove(os.fspath(path))


@contextlib.contextmanager
def _as_os_errors(path: PathLike) -> Iterator[None]:
    """Raises TensorFlow's errors as those that Python has for local files."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.NotFoundError as error:
        raise FileNotFoundError(2, "No such file or directory", os.fspath(path)) from error
    except tf.errors.OpError as error:
        raise OSError(5, " ".join(error.message.split())[:300], os.fspath(path)) from error
