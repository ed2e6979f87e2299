"""The Beam part: near-duplicates among embedded images, across splits.

The nearest images of earlier splits, by the embedding, are candidates; those that look the same
(`likeness.py`) are near-duplicates. What looks the same has nearly the same embedding, whatever the
network was trained for, so that few candidates are enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np

from components.image_embedder import records
from components.leak_check.likeness import likeness, prepare
from components.leak_check.report import NearDuplicate
from components.sharded_search.nearest import FindNearest, Nearest
from components.sharded_search.visits import SHARD_ROWS, Batch, Key
from retrieval.rows import unit_rows
from retrieval.shards import Rows, identity_keys
from trainer_module.progress_log import ImageCounter

# Candidates of each image.
NEIGHBOURS = 3
BATCH_SIZE = 256


class Photo(NamedTuple):
    """What is compared of an image, and said of it."""

    identity: str
    split: str
    class_name: str
    thumbnail: bytes


class FindNearDuplicates(beam.PTransform):
    """Serialized records of embedded images in (`image_embedder/records.py`), `NearDuplicate` out.

    At most one for each image: the most alike of its candidates.
    """

    def __init__(
        self, splits: Sequence[str], threshold: float, shard_rows: int = SHARD_ROWS
    ) -> None:
        """Keeps what is to be found.

        Args:
            splits: In their order: each is compared with those before it.
            threshold: Likeness from which on two images are near-duplicates.
            shard_rows: See `FindNearest`.
        """
        super().__init__()
        self._splits, self._threshold, self._shard_rows = tuple(splits), threshold, shard_rows

    def expand(self, serialized: beam.PCollection) -> beam.PCollection:
        """Builds the steps."""
        images = serialized | "Parse" >> beam.Map(records.decode)
        photos = images | "Photo" >> beam.Map(_photo)
        pairs = (
            images
            | "Batch" >> beam.BatchElements(BATCH_SIZE, BATCH_SIZE)
            | "Rows" >> beam.FlatMap(_batches, self._splits)
            | "Nearest" >> FindNearest(NEIGHBOURS, self._shard_rows)
            | "Pairs" >> beam.FlatMap(_pairs)
        )
        candidates = (
            {"photos": photos, "pairs": pairs}
            | "Join candidates" >> beam.CoGroupByKey()
            | "Candidates" >> beam.FlatMap(_candidates)
        )
        return (
            {"photos": photos, "candidates": candidates}
            | "Join images" >> beam.CoGroupByKey()
            | "Compare" >> beam.ParDo(_Compare(self._threshold))
        )


def _photo(image: records.EmbeddedImage) -> tuple[int, Photo]:
    texts = (image.identity.decode(), image.split.decode(), image.class_name.decode())
    return int(identity_keys([image.identity])[0]), Photo(*texts, image.thumbnail)


def _batches(
    images: Sequence[records.EmbeddedImage], splits: Sequence[str]
) -> Iterator[tuple[Key, Batch]]:
    """A batch for each split but the first: its images are queries, those of earlier splits not."""
    keys = identity_keys([image.identity for image in images])
    vectors = np.stack([image.embedding for image in images])
    vectors = unit_rows(vectors, f"embeddings of {images[0].identity!r} …")
    place = np.array([splits.index(image.split.decode()) for image in images])
    rows = Rows(keys, np.zeros(len(keys), np.int64), vectors)
    for number, split in enumerate(splits):
        is_query, is_gallery = place == number, place < number
        if (is_query | is_gallery).any():
            yield (split, int(keys[0])), Batch(rows, is_query, is_gallery)


def _pairs(item: tuple[Key, Nearest]) -> Iterator[tuple[int, tuple[int, float]]]:
    """By the candidate's key, the image's key and the cosine."""
    _, nearest = item
    for query, place in np.argwhere(nearest.neighbours != -1):
        neighbour = int(nearest.neighbours[query, place])
        yield neighbour, (int(nearest.queries[query]), float(nearest.scores[query, place]))


def _candidates(item: tuple[int, dict[str, Any]]) -> Iterator[tuple[int, tuple[Photo, float]]]:
    """By the image's key, a candidate and the cosine."""
    _, joined = item
    (photo,) = joined["photos"]
    for query, cosine in joined["pairs"]:
        yield query, (photo, cosine)


class _Compare(beam.DoFn):
    """Compares an image with its candidates."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    def setup(self) -> None:
        self._counter = ImageCounter()

    def process(self, item: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[NearDuplicate]:
        _, joined = item
        candidates = list(joined["candidates"])
        if not candidates:
            return
        (photo,) = joined["photos"]
        picture = prepare(photo.thumbnail)
        alike = [likeness(picture, prepare(other.thumbnail)) for other, _ in candidates]
        self._counter.add(1)
        # Equal ones in the order of their ids, so that the order of arrival has no say.
        best = min(range(len(alike)), key=lambda place: (-alike[place], candidates[place][0]))
        if alike[best] >= self._threshold:
            original, cosine = candidates[best]
            yield NearDuplicate(
                photo.identity,
                photo.split,
                photo.class_name,
                original.identity,
                original.split,
                original.class_name,
                likeness=round(alike[best], 4),
                cosine=round(cosine, 4),
            )

    def finish_bundle(self) -> None:
        self._counter.flush()
