"""Images as the findings see them, made in memory."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.report.findings.run_images import RunImages
from retrieval.shards import identity_keys


def images_of(
    embeddings: npt.ArrayLike,
    class_names: Sequence[str],
    splits: Sequence[str] | None = None,
    *,
    thumbnail_size: tuple[int, int] = (20, 16),
) -> RunImages:
    """Images with ids "0", "1", …, in the order of their keys.

    Args:
        embeddings: [N, D].
        class_names: Of each image, [N].
        splits: Likewise; all "test" if None.
        thumbnail_size: Width and height of thumbnails, each of a colour of its own.
    """
    ids = [str(number) for number in range(len(class_names))]
    keys = identity_keys(ids)
    order = np.argsort(keys)
    known = sorted(set(class_names))
    classes = np.array([known.index(name) for name in class_names], np.int64)
    named = np.array(list(splits) if splits is not None else ["test"] * len(ids), object)
    thumbnails = np.empty(len(ids), object)
    thumbnails[:] = [thumbnail(number, thumbnail_size) for number in range(len(ids))]
    return RunImages(
        ids=np.array(ids, object)[order],
        keys=keys[order],
        class_names=tuple(known),
        classes=classes[order],
        splits=named[order],
        embeddings=np.asarray(embeddings, np.float32)[order],
        thumbnails=thumbnails[order],
    )


def colour(number: int) -> tuple[int, int, int]:
    """The colour of an image's thumbnail."""
    return (number * 53) % 256, (number * 97) % 256, (number * 151) % 256


def thumbnail(number: int, size: tuple[int, int]) -> bytes:
    """JPEG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour(number)).save(buffer, "jpeg", quality=95)
    return buffer.getvalue()
