"""Embeds batches of photos in Beam; what the model refuses is told apart, photo by photo."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import apache_beam as beam
import numpy as np
from apache_beam.utils import shared

from pipeline.batch_embedding.photos import Photo
from pipeline.embedded_photos import Embed, load_embed
from trainer_module.progress_log import ImageCounter

GOOD, BAD = "good", "bad"
# Where in a graph an operation failed, which says nothing to a person.
_PLACE = re.compile(r"\s*\[?\[?\{\{.*?\}\}\]?\]?\s*")


class Embedded(NamedTuple):
    """A photo's embedding, float32 [D]; `class_name` is empty if it is not known."""

    identity: str
    class_name: str
    embedding: np.ndarray


class BadPhoto(NamedTuple):
    """A photo that has no embedding, and why."""

    identity: str
    reason: str


class EmbedPhotos(beam.PTransform):
    """Gives `good`, an `Embedded` for each photo, and `bad`, a `BadPhoto` for each of the others.

    Takes batches of photos (`photos.ReadPhotos`).
    """

    def __init__(self, model: str) -> None:
        """Keeps the folder of a pushed version; each process that works loads it once."""
        super().__init__()
        self._model = model

    def expand(self, batches: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        """Builds the step."""
        return batches | beam.ParDo(_Embed(self._model, shared.Shared())).with_outputs(
            BAD, main=GOOD
        )


class _Embed(beam.DoFn):
    def __init__(self, model: str, loaded: shared.Shared) -> None:
        self._model = model
        self._loaded = loaded

    def setup(self) -> None:
        self._embed = self._loaded.acquire(lambda: _Loaded(self._model), tag=self._model).embed
        self._counter = ImageCounter()

    def process(self, batch: list[Photo]) -> Iterator[Embedded | beam.pvalue.TaggedOutput]:
        read = [photo for photo in batch if not photo.problem]
        for photo in batch:
            if photo.problem:
                yield _bad(photo, photo.problem)
        found = embed_each([photo.content for photo in read], self._embed)
        for photo, result in zip(read, found, strict=True):
            if isinstance(result, str):
                yield _bad(photo, result)
            else:
                yield Embedded(photo.identity, photo.class_name, result)
        self._counter.add(len(batch))

    def finish_bundle(self) -> None:
        self._counter.flush()


class _Loaded:
    """A loaded model, as an object that Beam can hold weakly."""

    def __init__(self, model: str) -> None:
        self.embed: Embed = load_embed(model)


def embed_each(photos: Sequence[bytes], embed: Embed) -> list[np.ndarray | str]:
    """Embeds photos of which some may be none.

    Args:
        photos: B files as they are encoded.
        embed: Of `load_embed`; it refuses a batch in which one is no photo.

    Returns:
        For each its embedding, float32 [D], or why it has none.
    """
    import tensorflow as tf

    if not photos:
        return []
    try:
        return list(embed(photos))
    except tf.errors.InvalidArgumentError as error:
        if len(photos) == 1:
            return [_reason(error)]
    # Halves: of a large batch with a single bad photo few have to be embedded again alone.
    middle = len(photos) // 2
    return [*embed_each(photos[:middle], embed), *embed_each(photos[middle:], embed)]


def _reason(error: Exception) -> str:
    """What the decoder said, without where in the graph it said it."""
    lines = _PLACE.sub("\n", getattr(error, "message", str(error))).splitlines()
    said = next((line.strip() for line in lines if line.strip()), "")
    return f"cannot be decoded: {said}"[:300]


def _bad(photo: Photo, reason: str) -> beam.pvalue.TaggedOutput:
    return beam.pvalue.TaggedOutput(BAD, BadPhoto(photo.identity, reason))
