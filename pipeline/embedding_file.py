"""Reads embeddings from files, for `flowersim eval`: NumPy archives and TFRecords.

Not for embedding photos with a model: `embedded_photos.py`.
"""

from __future__ import annotations

import pathlib
import zipfile
import zlib
from typing import Any

import numpy as np

from retrieval.evaluation import Embeddings

_RECORD_SUFFIXES = tuple(
    suffix + packed for suffix in (".tfrecord", ".tfrecords") for packed in ("", ".gz")
)
_ARRAYS = ("embeddings", "labels", "ids")
# What zipfile and NumPy raise for files that are damaged, encrypted or packed in other ways.
_DAMAGE = (
    *(EOFError, ValueError, KeyError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error),
)


class EmbeddingFileError(Exception):
    """A file of embeddings cannot be used; the message names the file and the reason."""


def read_embeddings(path: pathlib.Path) -> Embeddings:
    """Reads embeddings with the labels and names of their images.

    Args:
        path: An `.npz` archive with `embeddings` [N, D], numbers, `labels` [N], integers or
            strings, and perhaps `ids` [N], the images' names; without them it is the path with
            the row's number. Or a file of TFRecords, or a folder of such files at any depth, named
            `*.tfrecord`, `*.tfrecords` or either with `.gz`: serialized `tf.train.Example`s with
            `embedding` (floats), `label` (an integer or bytes) or `class_name` (bytes, taken where
            both are there), and perhaps `id` (bytes).

    Returns:
        What it holds.

    Raises:
        EmbeddingFileError: It is not there, is none of these, or lacks something.
    """
    if path.is_dir() or path.name.endswith(_RECORD_SUFFIXES):
        return _read_records(path)
    return _read_archive(path)


def _read_archive(path: pathlib.Path) -> Embeddings:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise EmbeddingFileError(f"{path} is a single array, not an .npz archive")
        with loaded:
            names = loaded.files
            # No others: what nobody asked for could be of any size.
            arrays = {name: loaded[name] for name in _ARRAYS if name in names}
    except FileNotFoundError:
        raise EmbeddingFileError(f"{path} is not there") from None
    except MemoryError as error:
        raise EmbeddingFileError(f"{path}: {error}") from error
    except OSError as error:
        raise EmbeddingFileError(f"{path} cannot be read: {error.strerror or error}") from error
    # NumPy takes whatever it does not know for a pickle, and says so.
    except _DAMAGE as error:
        raise EmbeddingFileError(f"{path} is no .npz archive of numbers and strings") from error
    for name in ("embeddings", "labels"):
        if name not in arrays:
            held = ", ".join(sorted(names)) or "nothing"
            raise EmbeddingFileError(f"{path} holds no array {name}, but {held}")
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise EmbeddingFileError(f"{path}: {name} is no array of NumPy's")
    vectors, labels = arrays["embeddings"], arrays["labels"]
    if vectors.ndim != 2:
        raise EmbeddingFileError(f"{path}: embeddings must be a matrix, got {vectors.shape}")
    ids = arrays.get("ids")
    if ids is None:
        ids = np.array([f"{path}:{row}" for row in range(len(vectors))], str)
    for name, array in (("labels", labels), ("ids", ids)):
        if array.shape != (len(vectors),):
            raise EmbeddingFileError(
                f"{path}: {name} must have shape ({len(vectors)},), got {array.shape}"
            )
    return Embeddings(vectors, labels, ids)


def _read_records(path: pathlib.Path) -> Embeddings:
    import tensorflow as tf

    files = [path]
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.name.endswith(_RECORD_SUFFIXES))
        if not files:
            raise EmbeddingFileError(f"{path} holds no file named *{', *'.join(_RECORD_SUFFIXES)}")
    vectors: list[np.ndarray] = []
    labels: list[Any] = []
    ids: list[str] = []
    for file in files:
        kind = "GZIP" if file.name.endswith(".gz") else ""
        try:
            for number, record in enumerate(
                tf.data.TFRecordDataset(str(file), kind).as_numpy_iterator()
            ):
                place = f"{file}, record {number}"
                vector, label, name = _parsed(record, place)
                vectors.append(vector)
                labels.append(label)
                ids.append(f"{path}:{len(ids)}" if name is None else name)
        except tf.errors.OpError as error:
            raise EmbeddingFileError(f"{file} cannot be read as TFRecords: {error}") from error
    lengths = {len(vector) for vector in vectors}
    if len(lengths) != 1:
        what = f"embeddings of different lengths: {sorted(lengths)}" if lengths else "no record"
        raise EmbeddingFileError(f"{path} holds {what}")
    if len(set(map(type, labels))) > 1:
        raise EmbeddingFileError(f"{path} holds numbers and names as labels")
    return Embeddings(np.stack(vectors), np.array(labels), np.array(ids))


def _parsed(record: bytes, place: str) -> tuple[np.ndarray, int | str, str | None]:
    """Embedding, label and id of an example."""
    features = _features(record, place)
    vector, label = (
        _values(features, place, "embedding"),
        _values(features, place, "class_name", "label"),
    )
    try:
        names = [value.decode() if isinstance(value, bytes) else value for value in label]
        identity = [value.decode() for value in features.get("id", [])]
        (name,), embedding = names, np.asarray(vector, np.float32)
    except (ValueError, AttributeError) as error:
        raise EmbeddingFileError(
            f"{place}: embedding must be numbers, class_name or label one integer or UTF-8 text, "
            f"id UTF-8 text ({error})"
        ) from error
    return embedding, name, identity[0] if identity else None


def _features(record: bytes, place: str) -> dict[str, list[Any]]:
    """The values of an example's features."""
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        example = tf.train.Example.FromString(record)
    except DecodeError as error:
        raise EmbeddingFileError(f"{place} is no tf.train.Example") from error
    return {
        name: list(getattr(feature, feature.WhichOneof("kind")).value)
        for name, feature in example.features.feature.items()
        if feature.WhichOneof("kind")
    }


def _values(features: dict[str, list[Any]], place: str, *names: str) -> list[Any]:
    """The values of the first of the named features that there is."""
    for name in names:
        if features.get(name):
            return features[name]
    held = ", ".join(sorted(features)) or "nothing"
    raise EmbeddingFileError(f"{place} holds no {' or '.join(names)}, but {held}")
