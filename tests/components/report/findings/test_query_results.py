"""Results of queries equal those of a definition in plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.report.findings.query_results import NEIGHBOURS, search
from components.report.findings.run_images import RunImages
from tests.components.report.findings.build import images_of

SPLITS = ("train", "validation", "test")


@st.composite
def some_images(draw: st.DrawFn) -> RunImages:
    """Of few directions, so that scores are often equal."""
    count = draw(st.integers(1, 24))
    directions = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1]])
    vectors = [draw(st.integers(0, len(directions) - 1)) for _ in range(count)]
    names = [draw(st.sampled_from("abc")) for _ in range(count)]
    splits = [draw(st.sampled_from(SPLITS)) for _ in range(count)]
    return images_of(directions[vectors], names, splits)


def expected(
    images: RunImages, query: int, gallery: list[int]
) -> tuple[list[int], float | None, int | None]:
    """Ranking of a query, its MAP@R, and the rank of the first of its class."""
    unit = images.embeddings / np.linalg.norm(images.embeddings, axis=1, keepdims=True)
    others = [row for row in gallery if row != query]
    ranking = sorted(others, key=lambda row: (-round(float(unit[query] @ unit[row]), 5), row))
    same = [images.classes[row] == images.classes[query] for row in ranking]
    size = sum(same)
    if not size:
        return ranking, None, None
    precise = sum(sum(same[: rank + 1]) / (rank + 1) for rank in range(size) if same[rank]) / size
    return ranking, precise, same.index(True) + 1


@given(
    some_images(),
    st.sampled_from(SPLITS),
    st.sets(st.sampled_from(SPLITS), min_size=1),
    st.integers(0, 3),
)
def test_neighbours_and_metrics(
    images: RunImages, split: str, gallery_splits: set[str], away: int
) -> None:
    left_out = set(images.ids[:away])
    there = [row for row in range(len(images)) if images.ids[row] not in left_out]
    gallery = [row for row in there if images.splits[row] in gallery_splits]
    results = search(images, [split], gallery_splits, left_out=left_out)
    assert results.rows.tolist() == [row for row in there if images.splits[row] == split]
    assert results.gallery.tolist() == gallery
    searched = {split, *gallery_splits}
    assert results.left_out == sum(
        images.splits[row] in searched for row in range(min(away, len(images)))
    )
    for place, query in enumerate(results.rows):
        ranking, precise, first = expected(images, int(query), gallery)
        neighbours = results.neighbours[place]
        assert neighbours[neighbours >= 0].tolist() == ranking[:NEIGHBOURS]
        assert results.first_relevant_rank(place) == first
        assert results.answered[place] == (precise is not None)
        if precise is None:
            assert np.isnan(results.values["map_at_r"][place])
        else:
            assert results.values["map_at_r"][place] == pytest.approx(precise)
            assert results.values["recall_at_1"][place] == (first == 1)


def test_cut_offs_are_those_asked_for_and_1() -> None:
    results = search(images_of(np.eye(3), ["a", "a", "b"]), ["test"], ["test"], ks=(3,))
    assert {"recall_at_1", "recall_at_3"} <= set(results.values)
    assert "recall_at_5" not in results.values
