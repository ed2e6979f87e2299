"""NumPy search against a slow exact oracle, and what must not change its result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import threadpoolctl
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval import block_search, search
from retrieval.screen_choice import ScreenName
from retrieval.similarity import Similarity

KINDS = ("normal", "ties", "near_ties", "crowd", "positive")
METRICS: tuple[Similarity, ...] = ("cosine", "dot", "squared_euclidean")
SCREENS: tuple[ScreenName, ...] = ("float32", "bfloat16")


def _cut_small(patch: pytest.MonkeyPatch, gallery: int, queries: int, spare: int) -> None:
    """Makes blocks and lists small, so that small galleries are cut up and lists overflow."""
    patch.setattr(block_search, "_GALLERY_BLOCK", gallery)
    patch.setattr(block_search, "_QUERY_BLOCK", queries)
    # So that about half of the first thresholds are too high.
    patch.setattr(block_search, "_DEVIATIONS", 0.0)
    patch.setattr(block_search, "_LIST_SPARE", spare)


def _padded(rankings: list[list[tuple[float, int]]], k: int) -> tuple[np.ndarray, np.ndarray]:
    rows = [ranking[:k] + [(-np.inf, -1)] * (k - len(ranking)) for ranking in rankings]
    scores = np.array([[score for score, _ in row] for row in rows], np.float32)
    indices = np.array([[index for _, index in row] for row in rows], np.int64)
    return scores.reshape(len(rows), k), indices.reshape(len(rows), k)


def _ids(kind: str, numbers: np.ndarray) -> list:
    texts = [f"{number}.jpg" for number in numbers]
    return {
        "int": numbers.tolist(),
        "str": texts,
        "bytes": [text.encode() for text in texts],
    }[kind]


@settings(max_examples=200)
@given(data=st.data())
def test_equals_the_oracle(data: st.DataObject, make_rows, rank):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), label="seed"))
    kind = data.draw(st.sampled_from(KINDS), label="kind")
    dim = data.draw(st.sampled_from((1, 2, 3, 17, 64)), label="dim")
    queries = make_rows(kind, data.draw(st.integers(1, 6), label="Q"), dim, rng)
    gallery = make_rows(kind, data.draw(st.integers(0, 60), label="N"), dim, rng)
    if len(gallery) and data.draw(st.booleans(), label="queries are in the gallery"):
        queries = gallery[rng.integers(0, len(gallery), len(queries))]
    k = data.draw(st.integers(1, 30) | st.just(70), label="k")
    id_kind = data.draw(st.sampled_from((None, "int", "str", "bytes")), label="ids")
    ids: tuple[list | None, ...] = (None, None)
    if id_kind is not None:
        numbers = rng.integers(0, 9, len(queries)), rng.integers(0, 9, len(gallery))
        ids = tuple(_ids(id_kind, side) for side in numbers)
    metric: Similarity = data.draw(st.sampled_from(METRICS), label="metric")
    with pytest.MonkeyPatch.context() as patch:
        _cut_small(
            patch,
            2 ** data.draw(st.integers(0, 6), label="gallery block"),
            2 ** data.draw(st.integers(0, 3), label="query block"),
            data.draw(st.integers(0, 20), label="spare"),
        )
        scores, indices = search.top_k(
            queries,
            gallery,
            k,
            query_ids=ids[0],
            gallery_ids=ids[1],
            metric=metric,
            screen=data.draw(st.sampled_from(SCREENS), label="screen"),
        )
    assert scores.dtype == np.float32 and indices.dtype == np.int64
    expected_scores, expected_indices = _padded(rank(queries, gallery, *ids, metric=metric), k)
    np.testing.assert_array_equal(indices, expected_indices)
    np.testing.assert_array_equal(scores, expected_scores)


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("dim", [64, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_against_plain_float64_cosines(kind: str, dim: int, screen: ScreenName, make_rows):
    """Larger than the oracle can rank: nothing better than the k-th is left out."""
    rng = np.random.default_rng(dim)
    gallery = make_rows(kind, 3000, dim, rng)
    queries = make_rows(kind, 40, dim, rng) if kind != "near_ties" else gallery[:40]
    scores, indices = search.top_k(queries, gallery, 25, memory_mb=2, screen=screen)
    cosine = (queries / np.linalg.norm(queries, axis=1, keepdims=True)) @ (
        gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
    ).T
    # Rounding to the grid moves an entry by 2**-25 at most, a cosine by sqrt(dim) times that twice.
    allowance = 2.0**-24 * (1 + dim**0.5)
    np.testing.assert_allclose(
        scores, np.take_along_axis(cosine, indices, 1), atol=allowance, rtol=0
    )
    assert all(len(set(row)) == 25 for row in indices.tolist())
    left_out = cosine.copy()
    np.put_along_axis(left_out, indices, -np.inf, 1)
    assert (left_out.max(axis=1) <= scores[:, -1] + allowance).all()


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_neither_blocks_nor_lists_nor_screens_change_a_bit(
    kind: str, metric: Similarity, screen: ScreenName, make_rows
):
    rng = np.random.default_rng(7)
    gallery = make_rows(kind, 500, 200, rng)
    ids = rng.permutation(500)
    queries = gallery[:20]
    arguments: dict[str, Any] = {"query_ids": ids[:20], "gallery_ids": ids, "metric": metric}
    expected = search.top_k(queries, gallery, 15, screen="float32", **arguments)
    for sizes in ((16, 4, 1), (64, 16, 0), (256, 64, 30)):
        with pytest.MonkeyPatch.context() as patch:
            _cut_small(patch, *sizes)
            found = search.top_k(queries, gallery, 15, screen=screen, **arguments)
        np.testing.assert_array_equal(found[1], expected[1])
        np.testing.assert_array_equal(found[0], expected[0])


def test_far_from_the_origin_small_distances_count():
    """Where ‖q‖² - 2 q·g + ‖g‖² in float32 would leave nothing of the difference."""
    rng = np.random.default_rng(3)
    gallery = (1e4 + rng.normal(size=(2000, 8))).astype(np.float32)
    for screen in SCREENS:
        scores, indices = search.top_k(
            gallery[:50], gallery, 5, metric="squared_euclidean", screen=screen
        )
        distances = ((gallery[:50, None].astype(np.float64) - gallery) ** 2).sum(axis=2)
        np.testing.assert_array_equal(indices, np.argsort(distances, axis=1, kind="stable")[:, :5])
        np.testing.assert_allclose(
            -scores, np.take_along_axis(distances, indices, axis=1), rtol=1e-6
        )


@pytest.mark.parametrize("screen", SCREENS)
def test_rounding_of_the_screens_scores_is_allowed_for(screen: ScreenName):
    """Rows that bfloat16 holds exactly, with products that it does not."""
    gallery = [[1.0, 2.0**-8 + 1.4e-5, 0.0], [1.0, 2.0**-8, 1e-6]]
    _, indices = search.top_k([[1.0, 1.0, 1.0]], gallery, 1, metric="dot", screen=screen)
    assert indices.tolist() == [[0]]


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), sign=st.sampled_from((-1, 1)), dim=st.sampled_from((2, 700)))
def test_screens_agree_on_rows_that_bfloat16_holds(seed: int, sign: int, dim: int):
    """Integers of few bits: nothing but the product is rounded."""
    rng = np.random.default_rng(seed)
    queries, gallery = rng.integers(1, 128, (4, dim)), rng.integers(1, 128, (300, dim))
    for metric in METRICS:
        found = [
            search.top_k(sign * queries, gallery, 5, metric=metric, screen=s)[1] for s in SCREENS
        ]
        np.testing.assert_array_equal(found[0], found[1])


def test_scores_of_long_rows_do_not_depend_on_their_place():
    rng = np.random.default_rng(0)
    query = np.ones((1, 9000), np.float32)
    gallery = np.tile(rng.normal(size=9000), (40, 1)).astype(np.float32)
    # What is left of the sum is what the order of additions leaves of it.
    gallery[:, 0], gallery[:, 8500] = 1e15, -1e15
    scores, indices = search.top_k(query, gallery, 40, metric="dot")
    assert len(set(scores[0].tolist())) == 1 and indices[0].tolist() == list(range(40))


@pytest.mark.parametrize("screen", SCREENS)
def test_many_excluded_rows_leave_the_search_fast_and_right(screen: ScreenName, monkeypatch):
    """One id has a large share of the gallery; no query is searched row by row for that."""
    monkeypatch.setattr(block_search.BlockSearch, "_exact", None)
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(6000, 8))
    ids = np.concatenate([np.zeros(5000, int), np.arange(1, 1001)])
    scores, indices = search.top_k(
        rows[::100], rows, 3, query_ids=ids[::100], gallery_ids=ids, screen=screen
    )
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosine = np.where(ids[::100, None] == ids[None], -np.inf, unit[::100] @ unit.T)
    np.testing.assert_array_equal(indices, np.argsort(-cosine, axis=1, kind="stable")[:, :3])


def test_blas_has_its_threads_back_when_searches_overlap():
    def threads() -> set[int]:
        return {lib["num_threads"] for lib in threadpoolctl.threadpool_info()}

    before = threads()
    rows = np.random.default_rng(0).normal(size=(2000, 4))
    first, second = (search.nearest_blocks(rows, rows, 1, memory_mb=512) for _ in range(2))
    next(first), next(second)
    for _ in first:
        pass
    for _ in second:
        pass
    assert threads() == before


def test_equal_scores_rank_by_index_across_blocks(monkeypatch):
    _cut_small(monkeypatch, 64, 1, 0)
    gallery = np.tile([[2.0, 0.0], [0.0, 1.0]], (300, 1))
    _, indices = search.top_k([[1.0, 0.0]], gallery, 300)
    assert indices[0].tolist() == list(range(0, 600, 2))


def test_leave_one_out_excludes_the_id_and_not_the_nearest():
    rows = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    _, indices = search.top_k(rows, rows, 2, query_ids=[7, 8, 9], gallery_ids=[7, 8, 9])
    assert indices.tolist() == [[1, 2], [0, 2], [0, 1]]


def test_all_gallery_rows_of_an_id_are_excluded():
    scores, indices = search.top_k(
        [[1.0, 0.0]], [[1, 0], [1, 1], [0, 1]], 3, query_ids=["a"], gallery_ids=["a", "b", "a"]
    )
    assert indices.tolist() == [[1, -1, -1]]
    assert scores[0, 1:].tolist() == [-np.inf, -np.inf]


def test_an_empty_gallery_and_no_queries():
    scores, indices = search.top_k(np.ones((2, 3)), np.ones((0, 3)), 4)
    assert (scores == -np.inf).all() and (indices == -1).all()
    assert (
        search.top_k(np.ones((2, 3)), np.ones((0, 3)), 4, query_ids=[1, 2], gallery_ids=[])[
            1
        ].tolist()
        == [[-1] * 4] * 2
    )
    assert search.top_k(np.ones((0, 3)), np.ones((5, 3)), 4)[0].shape == (0, 4)


def test_zero_rows_have_cosine_zero_with_everything():
    scores, indices = search.top_k([[0.0, 0.0], [1.0, 0.0]], [[-1, 0], [0, 0], [1, 0]], 3)
    assert indices.tolist() == [[0, 1, 2], [2, 1, 0]]
    assert scores.tolist() == [[0.0, 0.0, 0.0], [1.0, 0.0, -1.0]]


def test_inputs_are_left_alone():
    queries, gallery = np.full((2, 2), 3.0, np.float32), np.full((4, 2), 5.0, np.float32)
    search.top_k(queries, gallery, 2)
    assert (queries == 3.0).all() and (gallery == 5.0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "dot", "queries": [[1.0, np.inf]]}, "queries row 0 holds NaN or infinity"),
        ({"k": 0}, "k must be at least 1, got 0"),
        ({"memory_mb": 0}, "k=1 neighbours needs at least .* MB of memory for each thread"),
        ({"metric": "angle"}, "similarity must be one of cosine, dot, squared_euclidean; got 'an"),
        ({"screen": "int4"}, "screen must be one of auto, float32, bfloat16; got 'int4'"),
        ({"metric": "dot", "gallery": [[1.0, 1e19]]}, "gallery row 0 .* longer than 1e18"),
        ({"query_ids": [1]}, "must be given together"),
        ({"gallery_ids": [1, 2]}, "must be given together"),
        ({"query_ids": [1], "gallery_ids": [1]}, r"gallery_ids must have shape \(2,\)"),
        ({"queries": [[1.0, 2.0, 3.0]]}, "queries have dim 3, gallery has dim 2"),
        ({"gallery": [[1.0, 2.0], [np.nan, 1.0]]}, "gallery row 1 holds NaN"),
    ],
)
def test_bad_arguments_are_named(arguments: dict, message: str):
    valid = {"queries": [[1.0, 0.0]], "gallery": [[1.0, 0.0], [0.0, 1.0]], "k": 1}
    with pytest.raises(ValueError, match=message):
        search.top_k(**{**valid, **arguments})
