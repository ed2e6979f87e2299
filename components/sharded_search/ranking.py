"""Ranks every query's relevant items among millions, on any Beam runner: no worker sees them all.

The gallery is cut into shards by identity, batches of queries come together in groups, and every
group meets every shard. A batch brings along what is relevant to its queries, found beforehand
within each class; a shard counts what it has ahead of each relevant item (`retrieval/shards.py`).
Counts of shards add up, and lists of nearest neighbours merge in a total order, so that neither
shards nor groups nor workers nor their order can change a bit of the result.

Cost, of Q queries in G = ⌈Q / `shard_rows`⌉ groups and N gallery rows of dim D in
S = ⌈N / `shard_rows`⌉ shards, with R relevant items a query on average, and k neighbours kept:

- arithmetic: 2 Q N D operations for the counts, in float64, as many in float32 or bfloat16 for the
  neighbours, and 2 Q R D for the relevant items; and the sorting of Q N scores, in blocks;
- shuffle: see `shuffled_bytes`; the term that grows is S times the queries with what is relevant to
  them, Q S (4 D + 20 R) bytes;
- memory of a worker: `shard_rows` (12 D + 16 + 12 R) bytes for a shard and a group, and some 400 MB
  to work with; and a class of n rows, 12 n (D + R) bytes.

Bytes are counted while it runs, in Beam's counters `retrieval/bytes_…`;
`benchmarks/sharded_retrieval.py` holds a run against these formulas.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import numpy.typing as npt

from components.sharded_search.visits import (
    SHARD_ROWS,
    Batch,
    Key,
    Question,
    VisitShards,
    part_count,
    queries_of,
    send,
)
from retrieval import shards
from retrieval.ranks import RelevantRanks
from retrieval.shards import Relevant, Rows


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
    row = 4 * dim + 16
    there, groups = part_count(gallery, shard_rows), part_count(queries, shard_rows)
    counted = 8 * relevant + 12 * neighbours * queries
    return {
        "classes": (queries + gallery) * row + 8 * queries,
        "relevant": 12 * relevant + 16 * queries,
        "queries": queries * row,
        "pieces": groups * gallery * row,
        "visits": there * (queries * (row + 8) + 12 * relevant),
        "counts": there * counted,
    }


class RankRelevant(beam.PTransform):
    """`(model, batch number), Batch` in; `(model, batch number), Ranked` of its queries out.

    Batches without a query have no result.
    """

    def __init__(self, neighbours: int, shard_rows: int = SHARD_ROWS) -> None:
        """Keeps the sizes.

        Args:
            neighbours: k, how many of the nearest neighbours are kept.
            shard_rows: Gallery rows of a shard, and queries of a group, about.
        """
        super().__init__()
        self._neighbours, self._shard_rows = neighbours, shard_rows

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Builds the steps that the module's docstring names."""
        relevant = (
            batches
            | "By class" >> beam.FlatMap(_by_class)
            | "Classes" >> beam.GroupByKey()
            | "Relevant" >> beam.FlatMap(_relevant)
        )
        questions = (
            {"rows": batches | "Queries" >> beam.FlatMap(queries_of), "relevant": relevant}
            | "Join relevant" >> beam.CoGroupByKey()
            | "Ask" >> beam.FlatMap(_question)
        )
        counted = {"batches": batches, "questions": questions} | "Shards" >> VisitShards(
            self._neighbours, self._shard_rows
        )
        return (
            {"relevant": questions | "Sizes" >> beam.MapTuple(_sizes), "counted": counted}
            | "Join counts" >> beam.CoGroupByKey()
            | "Rank" >> beam.Map(_ranked)
        )


def _by_class(item: tuple[Key, Batch]) -> Iterator[tuple[Key, Any]]:
    (model, number), batch = item
    queries = np.cumsum(batch.is_query) - 1
    for label in np.unique(batch.rows.labels):
        which = np.flatnonzero(batch.rows.labels == label)
        own = which[batch.is_query[which]]
        asked, searched = batch.rows.take(own), batch.rows.take(which[batch.is_gallery[which]])
        send("classes", [queries[own]], asked, searched)
        yield (model, int(label)), (number, queries[own], asked, searched)


def _relevant(item: tuple[Key, Iterable[Any]]) -> Iterator[tuple[Key, Any]]:
    (model, _), parts = item
    listed = list(parts)
    gallery = Rows(*map(np.concatenate, zip(*(part[3] for part in listed), strict=True)))
    gallery = gallery.take(np.argsort(gallery.keys))
    for number, places, queries, _ in listed:
        if len(places):
            relevant = shards.relevant_of_class(queries, gallery)
            send("relevant", [places], relevant)
            yield (model, number), (places, relevant)


def _question(item: tuple[Key, dict[str, Any]]) -> Iterator[tuple[Key, Question]]:
    key, joined = item
    batches = list(joined["rows"])
    if len(batches) > 1:
        labels = [int(rows.labels[0]) for rows in batches]
        raise ValueError(f"the same image comes in several batches (labels {labels})")
    queries = batches[0]
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
    yield key, Question(queries, Relevant(counts, scores, keys))


def _sizes(key: Key, question: Question) -> tuple[Key, npt.NDArray[np.int64]]:
    return key, question.relevant.counts


def _ranked(item: tuple[Key, dict[str, Any]]) -> tuple[Key, Ranked]:
    key, joined = item
    parts = {name: list(values) for name, values in joined.items()}
    if any(len(values) != 1 for values in parts.values()):
        found = ", ".join(f"{len(values)} of {name}" for name, values in sorted(parts.items()))
        raise RuntimeError(f"the runner lost a part of batch {key}: there are {found}, not 1 each")
    (sizes,), (counted,) = parts["relevant"], parts["counted"]
    return key, Ranked(shards.ranks_of(sizes, counted.ahead), counted.scores, counted.neighbours)
