"""Ranking in shards equals ranking in one memory, however rows are cut up and ordered."""

from __future__ import annotations

import pathlib
import pickle
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.metrics import MetricsFilter
from hypothesis import given, settings
from hypothesis import strategies as st

from components.sharded_search.ranking import Ranked, RankRelevant, shuffled_bytes
from components.sharded_search.visits import Batch, Counted, Key, _Merge
from retrieval import search
from retrieval.metrics import metric_names, metrics_of_ranks, per_query_metrics
from retrieval.rows import unit_rows
from retrieval.shards import Rows, identity_keys

KS = (1, 4)


def _raw(count: int) -> Rows:
    """Imbalanced classes, one of them with a single image; many equal embeddings."""
    rng = np.random.default_rng(0)
    labels = np.minimum(rng.geometric(0.3, count), 7)
    labels[0] = 99
    vectors = np.round(rng.normal(size=(count, 3)) + labels[:, None] % 3).astype(np.float32)
    return Rows(identity_keys([f"{number}.jpg" for number in range(count)]), labels, vectors)


def _unit(raw: Rows) -> Rows:
    return raw._replace(vectors=unit_rows(raw.vectors))


def _run(
    folder: pathlib.Path, batches: list[tuple[Key, Batch]], shard_rows: int
) -> list[tuple[Key, Ranked]]:
    """Runs the transform; results come back in files, from whatever worker."""

    def write(item: tuple[Key, Ranked]) -> None:
        (folder / f"{item[0][0]}-{item[0][1]}").write_bytes(pickle.dumps(item))

    with beam.Pipeline() as pipeline:
        _ = (
            pipeline
            | beam.Create(batches)
            | RankRelevant(max(KS), shard_rows)
            | "Write" >> beam.Map(write)
        )
    return [pickle.loads(path.read_bytes()) for path in folder.iterdir()]


def _ranked(
    folder: pathlib.Path,
    rows: Rows,
    cuts: list[int],
    order: np.ndarray,
    shard_rows: int,
    *,
    is_query: np.ndarray | None = None,
    is_gallery: np.ndarray | None = None,
) -> dict[int, Any]:
    """By key of a query: its metrics, neighbours and their scores."""
    everything = np.ones(len(rows.keys), bool)
    is_query = everything if is_query is None else is_query
    is_gallery = everything if is_gallery is None else is_gallery
    batches = [
        (("model", number), Batch(rows.take(part), is_query[part], is_gallery[part]))
        for number, part in enumerate(np.split(order, cuts))
    ]
    found: dict[int, Any] = {}
    for key, ranked in _run(folder, batches, shard_rows):
        batch = dict(batches)[key]
        values = metrics_of_ranks(ranked.ranks, KS, metric_names(KS))
        for row, identity in enumerate(batch.rows.keys[batch.is_query].tolist()):
            found[identity] = (
                {name: value[row] for name, value in values.items()},
                ranked.neighbours[row].tolist(),
                ranked.scores[row].tolist(),
            )
    return found


def _expected(rows: Rows, is_query: np.ndarray, is_gallery: np.ndarray) -> dict[int, Any]:
    """The same in one memory, items in the order of their keys."""
    order = np.argsort(rows.keys)
    queries, gallery = (rows.take(order[flags[order]]) for flags in (is_query, is_gallery))
    values = per_query_metrics(
        queries.vectors,
        queries.labels,
        queries.keys,
        gallery.vectors,
        gallery.labels,
        gallery.keys,
        KS,
    )
    scores, indices = search.top_k(
        queries.vectors,
        gallery.vectors,
        max(KS),
        query_ids=queries.keys,
        gallery_ids=gallery.keys,
    )
    nearest = np.where(indices < 0, -1, gallery.keys[indices])
    return {
        key: (
            {name: value[row] for name, value in values.items()},
            nearest[row].tolist(),
            scores[row].tolist(),
        )
        for row, key in enumerate(queries.keys.tolist())
    }


def _assert_same(found: dict, expected: dict) -> None:
    assert set(found) == set(expected)
    for key, (values, neighbours, scores) in expected.items():
        np.testing.assert_equal(found[key][0], values)
        assert found[key][1:] == (neighbours, scores)


@pytest.mark.parametrize("shard_rows", [7, 30, 1000])
def test_leave_one_out_equals_one_memory(shard_rows: int, tmp_path: pathlib.Path):
    raw = _raw(90)
    everything = np.ones(90, bool)
    expected = _expected(raw, everything, everything)
    order = np.random.default_rng(shard_rows).permutation(90)
    _assert_same(_ranked(tmp_path, _unit(raw), [1, 20, 21, 60], order, shard_rows), expected)
    recalls = [values["recall_at_1"] for values, _, _ in expected.values()]
    assert 0 < np.nanmean(recalls) < 1 and np.isnan(recalls).sum() == 1, "a test of something"


@pytest.mark.parametrize("overlap", [False, True])
def test_queries_against_a_gallery_equal_one_memory(overlap: bool, tmp_path: pathlib.Path):
    raw = _raw(80)
    is_query = np.arange(80) % 3 == 0
    # The last batch, of rows 78 and 79, has a query but is not searched, or the reverse.
    is_gallery = np.arange(80) % 4 > 0 if overlap else ~is_query
    flags = {"is_query": is_query, "is_gallery": is_gallery}
    found = _ranked(tmp_path, _unit(raw), [30, 78, 79], np.arange(80), 11, **flags)
    _assert_same(found, _expected(raw, **flags))


def test_an_empty_gallery_answers_nothing(tmp_path: pathlib.Path):
    rows = _unit(_raw(5))
    found = _ranked(tmp_path, rows, [2], np.arange(5), 3, is_gallery=np.zeros(5, bool))
    assert len(found) == 5
    for values, neighbours, _ in found.values():
        assert np.isnan(list(values.values())).all() and neighbours == [-1] * max(KS)


def test_models_do_not_see_each_other(tmp_path: pathlib.Path):
    raw = _raw(40)
    other = raw._replace(vectors=np.random.default_rng(5).normal(size=(40, 3)).astype(np.float32))
    everything = np.ones(40, bool)
    sides = {"candidate": raw, "baseline": other}
    batches = [
        ((name, 0), Batch(_unit(side), everything, everything)) for name, side in sides.items()
    ]
    found = dict(_run(tmp_path, batches, 9))
    for name, side in sides.items():
        expected = _expected(side, everything, everything)
        values = metrics_of_ranks(found[name, 0].ranks, KS, ["map_at_r"])["map_at_r"]
        np.testing.assert_array_equal(
            values, [expected[key][0]["map_at_r"] for key in raw.keys.tolist()]
        )


def test_a_batch_that_comes_twice_is_an_error(tmp_path: pathlib.Path):
    everything = np.ones(6, bool)
    batch = ("model", 7), Batch(_unit(_raw(6)), everything, everything)
    with pytest.raises(Exception, match="the same image comes in several batches"):
        _run(tmp_path, [batch, batch], 3)


def test_the_bytes_that_are_shuffled_are_those_of_the_formula():
    rows = _unit(_raw(60))
    everything = np.ones(60, bool)
    batches = [
        (("model", number), Batch(rows.take(part), everything[part], everything[part]))
        for number, part in enumerate(np.split(np.arange(60), [25, 40]))
    ]
    pipeline = beam.Pipeline()
    _ = pipeline | beam.Create(batches) | RankRelevant(5, 22)
    result = pipeline.run()
    result.wait_until_finish()
    counters = result.metrics().query(MetricsFilter().with_namespace("retrieval"))["counters"]
    measured = {counter.key.metric.name: counter.result for counter in counters}
    sizes = np.unique(rows.labels, return_counts=True)[1]
    expected = shuffled_bytes(60, 60, 3, int((sizes * (sizes - 1)).sum()), 5, 22)
    assert measured == {f"bytes_{step}": size for step, size in expected.items()}


def test_an_image_that_is_there_twice_is_an_error(tmp_path: pathlib.Path):
    twice = _unit(_raw(6)).take(np.array([0, 1, 2, 3, 4, 5, 3]))
    with pytest.raises(Exception, match="two images of the gallery have the same identity"):
        _ranked(tmp_path, twice, [4], np.arange(7), 3)


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(2, 5))
def test_merging_is_associative_and_commutative(seed: int, parts: int):
    rng = np.random.default_rng(seed)
    pieces = [
        Counted(
            rng.integers(0, 9, 4),
            -np.sort(-rng.integers(0, 3, (1, 3)).astype(np.float32)),
            keys,
        )
        for keys in rng.permutation(parts * 3).reshape(parts, 1, 3)
    ]
    cut = int(rng.integers(0, parts + 1))
    shuffled = [pieces[i] for i in rng.permutation(parts)]
    merge, results = _Merge(), []
    for groups in ([pieces], [shuffled[:cut], shuffled[cut:]]):
        accumulators = []
        for group in groups:
            accumulator = merge.create_accumulator()
            for piece in group:
                accumulator = merge.add_input(accumulator, piece)
            accumulators.append(accumulator)
        merged = merge.extract_output(merge.merge_accumulators(accumulators))
        assert merged is not None
        results.append(merged)
    for name in Counted._fields:
        one, other = (getattr(result, name) for result in results)
        np.testing.assert_array_equal(one, other)
    every = [(-s, k) for p in pieces for s, k in zip(p.scores[0], p.neighbours[0], strict=True)]
    best = zip(-results[1].scores[0], results[1].neighbours[0], strict=True)
    assert list(best) == sorted(every)[:3]
