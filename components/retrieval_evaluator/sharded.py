"""Ranks every query's relevant items among millions, on any Beam runner: no worker sees them all.

The gallery is cut into shards by identity, and batches of queries visit every shard. A batch
brings along what is relevant to its queries, found beforehand within each class; a shard counts
what it has ahead of each relevant item (`retrieval/shards.py`). Counts of shards add up, and lists
of nearest neighbours merge in a total order, so that neither shards nor workers nor their order can
change a bit of the result.

Cost, of Q queries and N gallery rows of dim D in S = ⌈N / `shard_rows`⌉ shards, with R relevant
items a query on average, and k neighbours kept:

- arithmetic: 2 Q N D operations for the counts, in float64, as many in float32 or bfloat16 for the
  neighbours, and 2 Q R D for the relevant items; and the sorting of Q N scores, in blocks;
- shuffle: see `shuffled_bytes`; the term that grows is S times the queries with what is relevant to
  them, Q S (4 D + 20 R) bytes;
- memory of a worker: `shard_rows` (4 D + 16) bytes for a shard and some 100 MB to work with; and a
  class, n rows of 4 D bytes, with the lists of its queries, 12 n R bytes.

Bytes are counted while it runs, in Beam's counters `retrieval/bytes_…`;
`benchmarks/sharded_retrieval.py` holds a run against these formulas.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from apache_beam.metrics import Metrics

from retrieval import shards
from retrieval.ranks import RelevantRanks
from retrieval.shards import Relevant, Rows

# 200 MB of rows at D = 1280.
SHARD_ROWS = 40_000

# Of a model, a class of it, a batch, or a shard.
Key = tuple[str, int]


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


class Ranked(NamedTuple):
    """What is known of the queries of a batch, in the batch's order.

    Attributes:
        ranks: Of their relevant items.
        scores: Of the nearest neighbours, float32 [B, k]; -inf where there are fewer.
        neighbours: Their keys, int64 [B, k]; -1 where there are fewer.
    """

    ranks: RelevantRanks
    scores: npt.NDArray[np.float32]
    neighbours: npt.NDArray[np.int64]


def shuffled_bytes(
    queries: int, gallery: int, dim: int, relevant: int, neighbours: int, shard_rows: int
) -> dict[str, int]:
    """Bytes of arrays that travel between workers, by step; what wraps them comes on top.

    Args:
        queries: Q.
        gallery: N.
        dim: D.
        relevant: Q R, the relevant items of all queries together.
        neighbours: k.
        shard_rows: See `RankRelevant`.
    """
    row, shards_there = 4 * dim + 16, _number_of_shards(gallery, shard_rows)
    counted = 8 * relevant + 12 * neighbours * queries
    return {
        "classes": (queries + gallery) * row + 8 * queries,
        "relevant": 12 * relevant + 16 * queries,
        "queries": queries * row,
        "pieces": gallery * row,
        "visits": shards_there * (queries * (row + 8) + 12 * relevant),
        "counts": shards_there * counted,
    }


def _send(step: str, *arrays: Iterable[npt.NDArray[Any]]) -> None:
    """Counts the bytes of what a step sends on."""
    size = sum(array.nbytes for group in arrays for array in group)
    Metrics.counter("retrieval", f"bytes_{step}").inc(size)


class RankRelevant(beam.PTransform):
    """`(model, batch number), Batch` in; `(model, batch number), Ranked` of its queries out.

    Batches without a query have no result.
    """

    def __init__(self, neighbours: int, shard_rows: int = SHARD_ROWS) -> None:
        """Keeps the sizes.

        Args:
            neighbours: k, how many of the nearest neighbours are kept.
            shard_rows: Gallery rows of a shard, about.
        """
        super().__init__()
        self._neighbours, self._shard_rows = neighbours, shard_rows

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Builds the steps that the module's docstring names."""
        sizes = beam.pvalue.AsDict(
            batches
            | "Count" >> beam.Map(lambda item: (item[0][0], int(item[1].is_gallery.sum())))
            | "Add up" >> beam.CombinePerKey(sum)
        )
        relevant = (
            batches
            | "By class" >> beam.FlatMap(_by_class)
            | "Classes" >> beam.GroupByKey()
            | "Relevant" >> beam.FlatMap(_relevant)
        )
        questions = (
            {"rows": batches | "Queries" >> beam.FlatMap(_queries), "relevant": relevant}
            | "Join relevant" >> beam.CoGroupByKey()
            | "Ask" >> beam.FlatMap(_question)
        )
        pieces = batches | "Cut" >> beam.FlatMap(_pieces, sizes, self._shard_rows)
        visits = questions | "Visit" >> beam.FlatMap(_visits, sizes, self._shard_rows)
        counted = (
            {"pieces": pieces, "visits": visits}
            | "Shards" >> beam.CoGroupByKey()
            | "Count ahead" >> beam.FlatMap(_count, self._neighbours)
            | "Merge" >> beam.CombinePerKey(_Merge())
        )
        return (
            {"relevant": questions | "Sizes" >> beam.MapTuple(_sizes), "counted": counted}
            | "Join counts" >> beam.CoGroupByKey()
            | "Rank" >> beam.Map(_ranked)
        )


class _Question(NamedTuple):
    """The queries of a batch and what is relevant to them."""

    queries: Rows
    relevant: Relevant


class _Counted(NamedTuple):
    """What a shard, or several together, say to a question."""

    ahead: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    neighbours: npt.NDArray[np.int64]


def _by_class(item: tuple[Key, Batch]) -> Iterator[tuple[Key, Any]]:
    (model, number), batch = item
    queries = np.cumsum(batch.is_query) - 1
    for label in np.unique(batch.rows.labels):
        which = np.flatnonzero(batch.rows.labels == label)
        own = which[batch.is_query[which]]
        asked, searched = batch.rows.take(own), batch.rows.take(which[batch.is_gallery[which]])
        _send("classes", [queries[own]], asked, searched)
        yield (model, int(label)), (number, queries[own], asked, searched)


def _relevant(item: tuple[Key, Iterable[Any]]) -> Iterator[tuple[Key, Any]]:
    (model, _), parts = item
    listed = list(parts)
    gallery = Rows(*map(np.concatenate, zip(*(part[3] for part in listed), strict=True)))
    for number, places, queries, _ in listed:
        if len(places):
            relevant = shards.relevant_of_class(queries, gallery)
            _send("relevant", [places], relevant)
            yield (model, number), (places, relevant)


def _queries(item: tuple[Key, Batch]) -> Iterator[tuple[Key, Rows]]:
    key, batch = item
    if batch.is_query.any():
        rows = batch.rows.take(batch.is_query)
        _send("queries", rows)
        yield key, rows


def _question(item: tuple[Key, dict[str, Any]]) -> Iterator[tuple[Key, _Question]]:
    key, joined = item
    (queries,) = joined["rows"]
    parts = list(joined["relevant"])
    counts = np.zeros(len(queries.keys), np.int64)
    for places, relevant in parts:
        counts[places] = relevant.counts
    # Each class's lists are put where those of its queries begin.
    begin = np.cumsum(counts) - counts
    scores, keys = np.empty(counts.sum(), np.float32), np.empty(counts.sum(), np.int64)
    for places, relevant in parts:
        target = shards.places_of_lists(begin[places], relevant.counts)
        scores[target], keys[target] = relevant.scores, relevant.keys
    yield key, _Question(queries, Relevant(counts, scores, keys))


def _number_of_shards(gallery: int, shard_rows: int) -> int:
    return max(1, -(-gallery // shard_rows))


def _pieces(
    item: tuple[Key, Batch], sizes: dict[str, int], shard_rows: int
) -> Iterator[tuple[Key, Rows]]:
    (model, _), batch = item
    rows = batch.rows.take(batch.is_gallery)
    shard = shards.shard_of(rows.keys, _number_of_shards(sizes[model], shard_rows))
    for number in np.unique(shard):
        piece = rows.take(shard == number)
        _send("pieces", piece)
        yield (model, int(number)), piece


def _visits(
    item: tuple[Key, _Question], sizes: dict[str, int], shard_rows: int
) -> Iterator[tuple[Key, tuple[int, _Question]]]:
    (model, number), question = item
    for shard in range(_number_of_shards(sizes[model], shard_rows)):
        _send("visits", question.queries, question.relevant)
        yield (model, shard), (number, question)


def _count(item: tuple[Key, dict[str, Any]], neighbours: int) -> Iterator[tuple[Key, _Counted]]:
    (model, _), joined = item
    shard = None
    for number, question in joined["visits"]:
        if shard is None:
            shard = shards.sorted_shard(joined["pieces"], question.queries.vectors.shape[1])
        counted = _Counted(
            shards.ahead_in_shard(question.queries, question.relevant, shard),
            *shards.nearest_in_shard(question.queries, shard, neighbours),
        )
        _send("counts", counted)
        yield (model, number), counted


class _Merge(beam.CombineFn):
    """Adds up counts and merges neighbours; associative and commutative."""

    def create_accumulator(self) -> _Counted | None:
        return None

    def add_input(self, accumulator: _Counted | None, element: _Counted) -> _Counted:
        if accumulator is None:
            return element
        nearest = shards.merge_nearest(
            accumulator.scores, accumulator.neighbours, element.scores, element.neighbours
        )
        return _Counted(accumulator.ahead + element.ahead, *nearest)

    def merge_accumulators(self, accumulators: Iterable[_Counted | None]) -> _Counted | None:
        merged = None
        for accumulator in accumulators:
            if accumulator is not None:
                merged = self.add_input(merged, accumulator)
        return merged

    def extract_output(self, accumulator: _Counted | None) -> _Counted | None:
        return accumulator


def _sizes(key: Key, question: _Question) -> tuple[Key, npt.NDArray[np.int64]]:
    return key, question.relevant.counts


def _ranked(item: tuple[Key, dict[str, Any]]) -> tuple[Key, Ranked]:
    key, joined = item
    (sizes,), (counted,) = joined["relevant"], joined["counted"]
    return key, Ranked(shards.ranks_of(sizes, counted.ahead), counted.scores, counted.neighbours)
