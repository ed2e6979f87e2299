"""Reads embeddings from a NumPy archive, for `flowersim eval`."""

from __future__ import annotations

import pathlib
import zipfile

import numpy as np

from retrieval.evaluation import Embeddings


class EmbeddingFileError(Exception):
    """A file of embeddings cannot be used; the message names the file and the reason."""


def read_embeddings(path: pathlib.Path) -> Embeddings:
    """Reads an `.npz` archive.

    Args:
        path: Holds `embeddings` [N, D], numbers, and `labels` [N], integers or strings; and
            perhaps `ids` [N], the images' names. Without them the row's number is taken.

    Returns:
        What it holds.

    Raises:
        EmbeddingFileError: It is not there, is no such archive, or lacks something.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise EmbeddingFileError(f"{path} is a single array, not an .npz archive")
        with loaded:
            arrays = dict(loaded)
    except FileNotFoundError:
        raise EmbeddingFileError(f"{path} is not there") from None
    # NumPy takes whatever it does not know for a pickle, and says so.
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise EmbeddingFileError(f"{path} is no .npz archive of numbers and strings") from error
    for name in ("embeddings", "labels"):
        if name not in arrays:
            held = ", ".join(sorted(arrays)) or "nothing"
            raise EmbeddingFileError(f"{path} holds no array {name}, but {held}")
    vectors, labels = arrays["embeddings"], arrays["labels"]
    if vectors.ndim != 2:
        raise EmbeddingFileError(f"{path}: embeddings must be a matrix, got {vectors.shape}")
    ids = arrays.get("ids", np.arange(len(vectors)).astype(str))
    for name, array in (("labels", labels), ("ids", ids)):
        if array.shape != (len(vectors),):
            raise EmbeddingFileError(
                f"{path}: {name} must have shape ({len(vectors)},), got {array.shape}"
            )
    return Embeddings(vectors, labels, ids)
