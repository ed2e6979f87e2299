"""Embeds folders of photos with a pushed model, for `flowersim eval --model`."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
from rich.console import Console
from rich.progress import Progress

from components.photo_folder.scan import Photo, PhotoFolderError, scan
from pipeline.embedding_file import EmbeddingFileError
from retrieval.evaluation import Embeddings
from serving import version_folders
from serving.servable import SAVED_MODEL_FILE

_BATCH = 32
# Photos left out that are named.
_NAMED = 3

Embed = Callable[[Sequence[bytes]], np.ndarray]


def load_embed(model: pathlib.Path) -> Embed:
    """Loads a pushed model.

    Args:
        model: The folder of a version, or that of several, the newest of which is taken.

    Returns:
        What makes embeddings, float32 [B, D], of the bytes of B photos; it raises
        `tf.errors.InvalidArgumentError` if one of them is none.

    Raises:
        EmbeddingFileError: There is no model, or it has no signature `embed`.
    """
    folder = model
    if not (model / SAVED_MODEL_FILE).exists():
        found = version_folders.find(str(model)) if model.is_dir() else {}
        if not found:
            raise EmbeddingFileError(f"{model} is neither a pushed model nor a folder of versions")
        folder = pathlib.Path(found[max(found)])
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
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


def embed_photos(folder: pathlib.Path, embed: Embed, console: Console) -> Embeddings:
    """Embeds the photos of a folder `CLASS/**/photo.jpg` or `SPLIT/CLASS/**/photo.jpg`.

    Photos that the model cannot decode are left out, and the console says which.

    Args:
        folder: With at least two classes.
        embed: Of `load_embed`.
        console: For progress.

    Raises:
        EmbeddingFileError: No such folder, or no photo that can be used.
    """
    try:
        photos = scan(folder)
    except PhotoFolderError as error:
        raise EmbeddingFileError(str(error)) from error
    kept: list[Photo] = []
    vectors: list[np.ndarray] = []
    bad: list[str] = []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"embedding {folder}", total=len(photos))
        for start in range(0, len(photos), _BATCH):
            batch = photos[start : start + _BATCH]
            found = _embedded(batch, embed)
            kept += [photo for photo, vector in found if vector is not None]
            vectors += [vector for _, vector in found if vector is not None]
            bad += [photo.relative for photo, vector in found if vector is None]
            progress.advance(task, len(batch))
    if bad:
        more = ", …" if len(bad) > _NAMED else ""
        names = ", ".join(bad[:_NAMED])
        console.print(f"left out, since they cannot be decoded: {len(bad)} ({names}{more})")
    if not kept:
        raise EmbeddingFileError(f"{folder} holds no photo that the model can decode")
    return Embeddings(
        np.stack(vectors),
        np.array([photo.class_name for photo in kept]),
        np.array([os.path.join(str(folder), photo.relative) for photo in kept]),
    )


def _embedded(photos: list[Photo], embed: Embed) -> list[tuple[Photo, np.ndarray | None]]:
    """Each photo with its embedding, or None if it is no image."""
    import tensorflow as tf

    try:
        return list(
            zip(photos, embed([pathlib.Path(p.path).read_bytes() for p in photos]), strict=True)
        )
    except tf.errors.InvalidArgumentError:
        # One of them spoils the batch.
        if len(photos) == 1:
            return [(photos[0], None)]
        return [found for photo in photos for found in _embedded([photo], embed)]
