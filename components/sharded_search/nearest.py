"""Finds every query's nearest neighbours among millions, on any Beam runner.

The same movement of rows as in `ranking.py` without relevant items, and so without counting.
"""

from __future__ import annotations

from typing import NamedTuple

import apache_beam as beam
import numpy as np
import numpy.typing as npt

from components.sharded_search.visits import (
    SHARD_ROWS,
    Counted,
    Key,
    Question,
    VisitShards,
    queries_of,
)
from retrieval.shards import Relevant, Rows


class Nearest(NamedTuple):
    """The nearest neighbours of the queries of a batch, best first.

    Attributes:
        queries: Keys of the queries, int64 [B].
        scores: float32 [B, k]; -inf where there are fewer.
        neighbours: Keys, int64 [B, k]; -1 where there are fewer.
    """

    queries: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    neighbours: npt.NDArray[np.int64]


class FindNearest(beam.PTransform):
    """`(model, batch number), Batch` in; `(model, batch number), Nearest` of its queries out."""

    def __init__(self, neighbours: int, shard_rows: int = SHARD_ROWS) -> None:
        """Keeps the sizes.

        Args:
            neighbours: k.
            shard_rows: Gallery rows of a shard, and queries of a group, about.
        """
        super().__init__()
        self._neighbours, self._shard_rows = neighbours, shard_rows

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Builds the steps."""
        queries = batches | "Queries" >> beam.FlatMap(queries_of)
        questions = queries | "Ask" >> beam.MapTuple(_question)
        counted = {"batches": batches, "questions": questions} | "Shards" >> VisitShards(
            self._neighbours, self._shard_rows
        )
        return (
            {"queries": queries, "counted": counted}
            | "Join" >> beam.CoGroupByKey()
            | "Put together" >> beam.MapTuple(_nearest)
        )


def _question(key: Key, queries: Rows) -> tuple[Key, Question]:
    nothing = np.empty(0, np.int64)
    counts = np.zeros(len(queries.keys), np.int64)
    return key, Question(queries, Relevant(counts, np.empty(0, np.float32), nothing))


def _nearest(key: Key, joined: dict[str, list]) -> tuple[Key, Nearest]:
    (queries,) = joined["queries"]
    counted: Counted
    (counted,) = joined["counted"]
    return key, Nearest(queries.keys, counted.scores, counted.neighbours)
