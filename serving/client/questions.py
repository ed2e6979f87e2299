"""What a similarity model can be asked, without a word on how it gets there.

A `Question` says which signature takes which values, and how to read its outputs. The clients, with
and without asyncio, hand it to a transport, REST or gRPC.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from serving.client import results
from serving.client.errors import BadImageError, RequestError
from serving.client.results import NEIGHBOUR_OUTPUTS, ClassScore, Columns, Neighbour

Image = bytes | str | os.PathLike[str]
Answer = TypeVar("Answer")

_IMAGES = "image_bytes"


@dataclasses.dataclass(frozen=True)
class Question(Generic[Answer]):
    """One request.

    Attributes:
        signature: Name of the signature.
        source: Name of its only input, byte strings [B].
        values: The input.
        outputs: Names of its outputs, each with B rows.
        read: Makes the answer of them; raises ValueError for what was asked wrongly, LookupError or
            TypeError for what is not a similarity model's.
    """

    signature: str
    source: str
    values: Sequence[bytes]
    outputs: tuple[str, ...]
    read: Callable[[Columns], Answer]

    @property
    def is_about_images(self) -> bool:
        """Whether a complaint about an image may be one about the input."""
        return self.source == _IMAGES


def read_answer(question: Question[Answer], columns: Columns, server: str) -> Answer:
    """Reads a model's outputs.

    Raises:
        ValueError: More was asked for than the model gives.
        RequestError: The outputs are not a similarity model's.
    """
    try:
        for name in question.outputs:
            if len(columns[name]) != len(question.values):
                raise TypeError(
                    f"{name} has {len(columns[name])} rows for {len(question.values)} inputs"
                )
        return question.read(columns)
    except (LookupError, TypeError) as error:
        raise RequestError(f"the answer of {server} is not understood: {error}") from error


def similar(images: Sequence[Image], k: int | None) -> Question[list[list[Neighbour]]]:
    """Which images of the gallery look most like each of some images."""
    if k is not None and k < 1:
        raise ValueError(f"k must be at least 1, got {k}")

    def read(columns: Columns) -> list[list[Neighbour]]:
        return [results.neighbours(columns, row, k) for row in range(len(images))]

    # The default signature, which whoever serves a model by other means has too.
    return Question("serving_default", _IMAGES, _read_all(images), NEIGHBOUR_OUTPUTS, read)


def embed(images: Sequence[Image]) -> Question[npt.NDArray[np.float32]]:
    """The embedding of each image, unit rows, float32 [B, D]."""

    def read(columns: Columns) -> npt.NDArray[np.float32]:
        return np.asarray(columns["embedding"], np.float32)

    return Question("embed", _IMAGES, _read_all(images), ("embedding",), read)


def classify(images: Sequence[Image], k: int | None) -> Question[list[list[ClassScore]]]:
    """The k most probable classes of each image, by the head that was trained with the model."""
    if k is not None and k < 1:
        raise ValueError(f"k must be at least 1, got {k}")

    def read(columns: Columns) -> list[list[ClassScore]]:
        return [results.class_scores(columns, row, k) for row in range(len(images))]

    outputs = ("class_names", "scores")
    return Question("classify_image", _IMAGES, _read_all(images), outputs, read)


def thumbnails(ids: Sequence[str]) -> Question[list[bytes]]:
    """Small encoded images of images of the gallery."""

    def read(columns: Columns) -> list[bytes]:
        found = list(columns["thumbnail_bytes"])
        if not all(isinstance(image, bytes) for image in found):
            raise TypeError("thumbnail_bytes holds no bytes")
        return found

    values = [identity.encode() for identity in ids]
    return Question("thumbnail", "ids", values, ("thumbnail_bytes",), read)


def _read_all(images: Sequence[Image]) -> list[bytes]:
    return [_read(image) for image in images]


def _read(image: Image) -> bytes:
    content = image if isinstance(image, bytes) else pathlib.Path(image).read_bytes()
    if not content:
        raise BadImageError("the image is empty")
    return content
