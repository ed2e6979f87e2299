"""Embeds photos with a pushed model, for `flowersim eval --model`."""

from __future__ import annotations

import itertools
import os
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from pipeline.embedding_file import EmbeddingFileError
from pipeline.photo_source import LabelledPhoto, open_photos
from retrieval.evaluation import Embeddings
from serving import version_folders
from serving.servable import SAVED_MODEL_FILE

_BATCH = 32
# Photos left out that are named.
_NAMED = 3

Embed = Callable[[Sequence[bytes]], np.ndarray]


def version_folder(model: str | os.PathLike[str]) -> str:
    """Finds the version that is meant.

    Args:
        model: The folder of a version, or that of several, the newest of which is taken; also a
            URL that TensorFlow reads.

    Raises:
        EmbeddingFileError: There is no model.
    """
    folder = str(model).rstrip("/")
    import tensorflow as tf

    try:
        if tf.io.gfile.exists(f"{folder}/{SAVED_MODEL_FILE}"):
            return folder
        found = version_folders.find(folder) if tf.io.gfile.isdir(folder) else {}
    except tf.errors.OpError as error:
        raise EmbeddingFileError(f"{model} cannot be read: {error.message}") from error
    if not found:
        raise EmbeddingFileError(f"{model} is neither a pushed model nor a folder of versions")
    return found[max(found)]


def load_embed(model: str | os.PathLike[str]) -> Embed:
    """Loads a pushed model.

    Args:
        model: See `version_folder`.

    Returns:
        What makes embeddings, float32 [B, D], of the bytes of B photos; it raises
        `tf.errors.InvalidArgumentError` if one of them is none.

    Raises:
        EmbeddingFileError: There is no model, or it has no signature `embed`.
    """
    import tensorflow as tf

    folder = version_folder(model)
    loaded = tf.saved_model.load(folder)
    if "embed" not in loaded.signatures:
        held = ", ".join(sorted(loaded.signatures)) or "none"
        raise EmbeddingFileError(f"{folder} has no signature embed, but {held}")
    signature = loaded.signatures["embed"]

    (argument,) = signature.structured_input_signature[1]

    def embed(photos: Sequence[bytes]) -> np.ndarray:
        # The model itself, since a signature does not keep its variables alive.
        found = loaded.signatures["embed"](**{argument: tf.constant(photos, tf.string)})
        return found["embedding"].numpy()

    return embed


def embed_photos(path: pathlib.Path, embed: Embed, console: Console) -> Embeddings:
    """Embeds photos.

    Those that the model cannot decode are left out, and the console says which.

    Args:
        path: Of a folder of photos or a split, see `photo_source.open_photos`.
        embed: Of `load_embed`.
        console: For progress.

    Raises:
        EmbeddingFileError: Nothing there, or no photo that can be used.
    """
    source = open_photos(path)
    kept: list[tuple[str, str]] = []
    vectors: list[np.ndarray] = []
    bad: list[str] = []
    photos = source.read()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"embedding {escape(str(path))}", total=source.count)
        while batch := list(itertools.islice(photos, _BATCH)):
            for photo, vector in _embedded(batch, embed):
                if vector is None:
                    bad.append(photo.name.removeprefix(f"{path}/"))
                else:
                    kept.append((photo.name, photo.class_name))
                    vectors.append(vector)
            progress.advance(task, len(batch))
    if bad:
        more = ", …" if len(bad) > _NAMED else ""
        names = ", ".join(bad[:_NAMED])
        console.print(
            f"left out, since they cannot be decoded: {len(bad)} ({names}{more})", markup=False
        )
    if not kept:
        raise EmbeddingFileError(f"{path} holds no photo that the model can decode")
    return Embeddings(
        np.stack(vectors),
        np.array([class_name for _, class_name in kept]),
        np.array([name for name, _ in kept]),
    )


def _embedded(
    photos: list[LabelledPhoto], embed: Embed
) -> list[tuple[LabelledPhoto, np.ndarray | None]]:
    """Each photo with its embedding, or None if it is no image."""
    import tensorflow as tf

    try:
        return list(zip(photos, embed([photo.content for photo in photos]), strict=True))
    except tf.errors.InvalidArgumentError:
        # One of them spoils the batch.
        if len(photos) == 1:
            return [(photos[0], None)]
        return [found for photo in photos for found in _embedded([photo], embed)]
