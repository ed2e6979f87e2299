"""Which queries are shown, and what is said of their neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from components.report.findings.pictures import PictureBook
from components.report.findings.query_results import QueryResults, search
from components.report.findings.run_images import RunImages
from components.report.findings.sheets import ROWS, sheets
from tests.components.report.findings.build import images_of


@pytest.fixture(scope="module")
def images() -> RunImages:
    """Twelve classes, the higher ones more and more scattered."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(12, 16))
    labels = np.repeat(np.arange(12), 9)
    noise = rng.normal(size=(len(labels), 16)) * (0.1 + 0.12 * labels[:, None])
    return images_of(centers[labels] + noise, [f"class {label:02d}" for label in labels])


@pytest.fixture(scope="module")
def results(images: RunImages) -> QueryResults:
    return search(images, ["test"], ["test"])


def test_best_typical_and_worst(images: RunImages, results: QueryResults) -> None:
    found = sheets(results, images, PictureBook(images))
    values = {
        images.ids[row]: value
        for row, value in zip(results.rows, results.values["map_at_r"], strict=True)
    }
    for kind, rows in found.items():
        assert len(rows) == ROWS
        assert len({row["class_name"] for row in rows}) == ROWS, f"{kind}: a class each"
        for row in rows:
            assert row["map_at_r"] == values[row["id"]]
    worst = min(values.values())
    assert found["best"][0]["map_at_r"] == max(values.values())
    assert found["worst"][0]["map_at_r"] == worst
    assert [row["map_at_r"] for row in found["worst"]] == sorted(
        row["map_at_r"] for row in found["worst"]
    )
    median = np.median(list(values.values()))
    nearest = min(abs(value - median) for value in values.values())
    shown = [abs(row["map_at_r"] - median) for row in found["typical"]]
    assert min(shown) == pytest.approx(nearest) and max(shown) < 0.2


def test_the_query_of_a_class_is_its_best_or_worst(
    images: RunImages, results: QueryResults
) -> None:
    found = sheets(results, images, PictureBook(images))
    names = np.array(images.class_names)[images.classes[results.rows]]
    for kind, extreme in (("best", max), ("worst", min)):
        for row in found[kind]:
            own = results.values["map_at_r"][names == row["class_name"]]
            assert row["map_at_r"] == extreme(own)


def test_neighbours_are_marked_and_pictured(images: RunImages, results: QueryResults) -> None:
    pictures = PictureBook(images)
    found = sheets(results, images, pictures)
    row_of = {identity: row for row, identity in enumerate(images.ids)}
    unit = images.embeddings / np.linalg.norm(images.embeddings, axis=1, keepdims=True)
    shown = set()
    for row in (row for rows in found.values() for row in rows):
        query = row_of[row["id"]]
        neighbours = row["neighbours"]
        assert len(neighbours) == 8 and row["id"] not in {n["id"] for n in neighbours}
        assert [n["score"] for n in neighbours] == sorted(n["score"] for n in neighbours)[::-1]
        for neighbour in neighbours:
            place = row_of[neighbour["id"]]
            assert neighbour["score"] == pytest.approx(float(unit[query] @ unit[place]), abs=1e-4)
            assert neighbour["same"] == (images.classes[place] == images.classes[query])
        first = next((r for r, n in enumerate(neighbours, 1) if n["same"]), None)
        rank = row["first_relevant_rank"]
        assert rank == first if first else rank > 8
        assert row["relevant"] == 8
        shown |= {row["picture"], *(n["picture"] for n in neighbours)}
    assert set(pictures.draw(1e9)) == shown


def test_classes_come_again_where_there_are_too_few() -> None:
    angles = np.radians([0, 1, 2, 90, 91, 92, 93])
    images = images_of(np.stack([np.cos(angles), np.sin(angles)], axis=1), list("aaabbbb"))
    found = sheets(search(images, ["test"], ["test"]), images, PictureBook(images))
    names = [row["class_name"] for row in found["best"]]
    assert sorted(names) == list("aaabbbb") and set(names[:2]) == {"a", "b"}
    assert all(len(row["neighbours"]) == 6 for row in found["best"]), "all that there are"


def test_queries_without_anything_to_find_are_not_shown() -> None:
    images = images_of(np.eye(3), list("abc"))
    found = sheets(search(images, ["test"], ["test"]), images, PictureBook(images))
    assert found == {"best": [], "typical": [], "worst": []}
