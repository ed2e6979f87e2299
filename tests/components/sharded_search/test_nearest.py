"""The nearest neighbours found in shards are those found in one memory."""

from __future__ import annotations

import pathlib
import pickle

import apache_beam as beam
import numpy as np
import pytest

from components.sharded_search.nearest import FindNearest, Nearest
from components.sharded_search.visits import Batch, Key
from retrieval.rows import unit_rows
from retrieval.search import top_k
from retrieval.shards import Rows, identity_keys

K = 4


@pytest.mark.parametrize("shard_rows", [7, 1000])
def test_equal_to_a_search_of_everything(tmp_path: pathlib.Path, shard_rows: int) -> None:
    rng = np.random.default_rng(0)
    keys = identity_keys(map(str, range(60)))
    vectors = unit_rows(np.round(rng.normal(size=(60, 3))) + 0.25).astype(np.float32)
    is_query = rng.random(60) < 0.5
    is_gallery = rng.random(60) < 0.7
    rows = Rows(keys, np.zeros(60, np.int64), vectors)
    batches = [
        (("a", number), Batch(rows.take(part), is_query[part], is_gallery[part]))
        for number, part in enumerate(np.array_split(rng.permutation(60), 6))
    ]

    def write(item: tuple[Key, Nearest]) -> None:
        (tmp_path / str(item[0][1])).write_bytes(pickle.dumps(item[1]))

    with beam.Pipeline() as pipeline:
        _ = pipeline | beam.Create(batches) | FindNearest(K, shard_rows) | beam.Map(write)
    found = {}
    for path in tmp_path.iterdir():
        nearest = pickle.loads(path.read_bytes())
        for key, scores, neighbours in zip(*nearest, strict=True):
            found[int(key)] = (scores.tolist(), neighbours.tolist())
    gallery = rows.take(is_gallery).take(np.argsort(keys[is_gallery]))
    queries = rows.take(is_query)
    scores, places = top_k(
        queries.vectors,
        gallery.vectors,
        K,
        query_ids=queries.keys,
        gallery_ids=gallery.keys,
        metric="dot",
    )
    assert found == {
        int(key): (scores[i].tolist(), gallery.keys[places[i]].tolist())
        for i, key in enumerate(queries.keys)
    }
