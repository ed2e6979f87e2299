"""Every group of queries meets every shard of the gallery: the movement of rows between workers.

What is sent where, and what a shard answers; what the answers are good for is told in `ranking.py`
and `nearest.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from apache_beam.metrics import Metrics

from retrieval import shards
from retrieval.shards import Relevant, Rows

# 200 MB of rows at D = 1280.
SHARD_ROWS = 40_000

# Of a model, and of a class or a batch of it.
Key = tuple[str, int]
# Of a model, a shard and a group of queries.
Cell = tuple[str, int, int]


class Batch(NamedTuple):
    """Embeddings of some images by one model.

    Attributes:
        rows: B of them.
        is_query: Which are queries, bool [B].
        is_gallery: Which are searched, bool [B].
    """

    rows: Rows
    is_query: npt.NDArray[np.bool_]
    is_gallery: npt.NDArray[np.bool_]


def send(step: str, *arrays: Iterable[npt.NDArray[Any]]) -> None:
    """Counts the bytes of what a step sends on."""
    size = sum(array.nbytes for group in arrays for array in group)
    Metrics.counter("retrieval", f"bytes_{step}").inc(size)


class Question(NamedTuple):
    """The queries of a batch and what is relevant to them."""

    queries: Rows
    relevant: Relevant


class Counted(NamedTuple):
    """What a shard, or several together, say to a question."""

    ahead: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    neighbours: npt.NDArray[np.int64]


class VisitShards(beam.PTransform):
    """Has all shards answer: `batches` and `questions` in, `Counted` of each question out.

    All by `(model, batch number)`; see `Batch` and `Question`.
    """

    def __init__(self, neighbours: int, shard_rows: int = SHARD_ROWS) -> None:
        """Keeps the sizes.

        Args:
            neighbours: k, how many of the nearest neighbours are kept.
            shard_rows: Gallery rows of a shard, and queries of a group, about.
        """
        super().__init__()
        self._neighbours, self._shard_rows = neighbours, shard_rows

    def expand(self, inputs: dict[str, beam.PCollection]) -> beam.PCollection:
        """Builds the steps."""
        batches, questions = inputs["batches"], inputs["questions"]
        sizes = beam.pvalue.AsDict(
            batches
            | "Count" >> beam.Map(_sizes_of)
            | "Add up" >> beam.CombinePerKey(beam.combiners.TupleCombineFn(sum, sum))
        )
        pieces = batches | "Cut" >> beam.FlatMap(_pieces, sizes, self._shard_rows)
        visits = questions | "Visit" >> beam.FlatMap(_visits, sizes, self._shard_rows)
        return (
            {"pieces": pieces, "visits": visits}
            | "Shards" >> beam.CoGroupByKey()
            | "Count ahead" >> beam.FlatMap(_count, self._neighbours)
            | "Merge" >> beam.CombinePerKey(_Merge())
        )


Sizes = dict[str, tuple[int, int]]


def _sizes_of(item: tuple[Key, Batch]) -> tuple[str, tuple[int, int]]:
    (model, _), batch = item
    return model, (int(batch.is_gallery.sum()), int(batch.is_query.sum()))


def part_count(rows: int, part_rows: int) -> int:
    """How many parts of about `part_rows` rows there are; at least one."""
    return max(1, -(-rows // part_rows))


def _pieces(item: tuple[Key, Batch], sizes: Sizes, part_rows: int) -> Iterator[tuple[Cell, Rows]]:
    (model, _), batch = item
    gallery, queries = sizes[model]
    rows = batch.rows.take(batch.is_gallery)
    shard = shards.shard_of(rows.keys, part_count(gallery, part_rows))
    for number in np.unique(shard):
        piece = rows.take(shard == number)
        for group in range(part_count(queries, part_rows)):
            send("pieces", piece)
            yield (model, int(number), group), piece


def _visits(
    item: tuple[Key, Question], sizes: Sizes, part_rows: int
) -> Iterator[tuple[Cell, tuple[int, Question]]]:
    (model, number), question = item
    gallery, queries = sizes[model]
    group = number % part_count(queries, part_rows)
    for shard in range(part_count(gallery, part_rows)):
        send("visits", question.queries, question.relevant)
        yield (model, shard, group), (number, question)


def _count(item: tuple[Cell, dict[str, Any]], neighbours: int) -> Iterator[tuple[Key, Counted]]:
    (model, _, _), joined = item
    visits = list(joined["visits"])
    if not visits:
        return
    every = Rows(*map(np.concatenate, zip(*(q.queries for _, q in visits), strict=True)))
    shard = shards.sorted_shard(joined["pieces"], every.vectors.shape[1])
    # All at once, so that the shard is prepared for the search once.
    scores, nearest = shards.nearest_in_shard(every, shard, neighbours)
    start = 0
    for number, question in visits:
        part = slice(start, start + len(question.queries.keys))
        start = part.stop
        ahead = shards.ahead_in_shard(question.queries, question.relevant, shard)
        counted = Counted(ahead, scores[part], nearest[part])
        send("counts", counted)
        yield (model, number), counted


class _Merge(beam.CombineFn):
    """Adds up counts and merges neighbours; associative and commutative."""

    def create_accumulator(self) -> Counted | None:
        return None

    def add_input(self, accumulator: Counted | None, element: Counted) -> Counted:
        if accumulator is None:
            return element
        nearest = shards.merge_nearest(
            accumulator.scores, accumulator.neighbours, element.scores, element.neighbours
        )
        return Counted(accumulator.ahead + element.ahead, *nearest)

    def merge_accumulators(self, accumulators: Iterable[Counted | None]) -> Counted | None:
        merged = None
        for accumulator in accumulators:
            if accumulator is not None:
                merged = self.add_input(merged, accumulator)
        return merged

    def extract_output(self, accumulator: Counted | None) -> Counted | None:
        return accumulator


def queries_of(item: tuple[Key, Batch]) -> Iterator[tuple[Key, Rows]]:
    """The queries of a batch, if there are any."""
    key, batch = item
    if batch.is_query.any():
        rows = batch.rows.take(batch.is_query)
        send("queries", rows)
        yield key, rows
