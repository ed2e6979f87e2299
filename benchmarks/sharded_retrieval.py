"""Ranks rows in gallery shards on Beam's local runner, and holds its cost against the model.

Rows are made on the workers, in classes of equal size, and ranked leave-one-out by
`components/sharded_search/ranking.py`. Printed are the time, the largest memory of a process,
the bytes that were shuffled beside those that the module's formula gives, and some metrics.

Memory is that of the runner as well: locally it keeps everything that is shuffled, the largest part
of which, the visits of the queries to the shards, is there all at once. With several processes it
sends each of them all its groups as one message, and loses messages of more than a gigabyte.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator

import apache_beam as beam
import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions

from components.sharded_search.ranking import Ranked, RankRelevant, shuffled_bytes
from components.sharded_search.visits import Batch, Key
from retrieval.metrics import metrics_of_ranks
from retrieval.rows import unit_rows
from retrieval.shards import Rows, identity_keys

METRICS = ("recall_at_1", "map_at_r", "mean_average_precision", "mean_reciprocal_rank")
NEIGHBOURS = 10


def make_batch(number: int, size: int, dim: int, classes: int) -> tuple[Key, Batch]:
    """A batch of rows that no other has."""
    labels = (number * size + np.arange(size)) % classes
    centres = np.random.default_rng(0).normal(size=(classes, dim))
    rng = np.random.default_rng(number + 1)
    vectors = unit_rows(centres[labels] + 2.2 * rng.normal(size=(size, dim)))
    keys = identity_keys(f"{number}/{row}" for row in range(size))
    everything = np.ones(size, bool)
    return ("model", number), Batch(Rows(keys, labels, vectors), everything, everything)


def per_query(item: tuple[Key, Ranked]) -> Iterator[tuple[str, float]]:
    """The metrics of a batch's queries."""
    values = metrics_of_ranks(item[1].ranks, [1], METRICS)
    for name, found in values.items():
        yield from ((name, float(value)) for value in found)


def main() -> None:
    """Parses the command line and prints a line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=200_000, help="(%(default)s)")
    parser.add_argument("--dim", type=int, default=128, help="(%(default)s)")
    parser.add_argument("--classes", type=int, default=2000, help="(%(default)s)")
    parser.add_argument("--batch-rows", type=int, default=1000, help="(%(default)s)")
    parser.add_argument("--shard-rows", type=int, default=40_000, help="(%(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes (%(default)s)")
    options = parser.parse_args()
    if options.rows % options.batch_rows or options.rows % options.classes:
        parser.error("--rows must be a multiple of --batch-rows and of --classes")
    started = time.perf_counter()
    folder = tempfile.mkdtemp()
    pipeline = beam.Pipeline(
        options=PipelineOptions(
            # Without flags of its own, Beam would read those of this script.
            [],
            runner="DirectRunner",
            direct_num_workers=options.workers,
            direct_running_mode="multi_processing" if options.workers > 1 else "in_memory",
        )
    )
    _ = (
        pipeline
        | beam.Create(range(options.rows // options.batch_rows))
        | beam.Map(make_batch, options.batch_rows, options.dim, options.classes)
        | beam.Reshuffle()
        | RankRelevant(NEIGHBOURS, options.shard_rows)
        | beam.FlatMap(per_query)
        | beam.combiners.Mean.PerKey()
        | beam.Map(json.dumps)
        | beam.io.WriteToText(f"{folder}/means")
    )
    result = pipeline.run()
    result.wait_until_finish()
    counters = result.metrics().query(beam.metrics.MetricsFilter().with_namespace("retrieval"))
    measured = {
        counter.key.metric.name.removeprefix("bytes_"): counter.result
        for counter in counters["counters"]
    }
    relevant = options.rows * (options.rows // options.classes - 1)
    expected = shuffled_bytes(
        options.rows, options.rows, options.dim, relevant, NEIGHBOURS, options.shard_rows
    )
    usage = [
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    lines = [line for path in pathlib.Path(folder).iterdir() for line in path.open()]
    shutil.rmtree(folder)
    print(
        json.dumps(
            {
                **vars(options),
                "seconds": round(time.perf_counter() - started),
                "largest_process_mb": round(max(usage) / 1e3),
                "shuffled_mb": {name: round(size / 1e6, 1) for name, size in measured.items()},
                "as_the_formula_says": measured == expected,
                **{name: round(mean, 4) for name, mean in map(json.loads, lines)},
            }
        )
    )


if __name__ == "__main__":
    main()
