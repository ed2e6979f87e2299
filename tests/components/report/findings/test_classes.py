"""Classes and the pairs that are confused, on an example small enough to be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from components.report.findings.classes import balanced, confusions, per_class
from components.report.findings.pictures import PictureBook
from components.report.findings.query_results import QueryResults, search
from components.report.findings.run_images import RunImages
from retrieval.proportions import wilson
from tests.components.report.findings.build import images_of


def at(degrees: list[float]) -> np.ndarray:
    """Unit rows at angles in the plane."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


@pytest.fixture
def images() -> RunImages:
    """Image 3 (a) is nearest to 4 (b) and 2 (a) to 1 (a); 4 (b) to 3 (a), 7 (c) has nobody."""
    return images_of(at([0, 1, 2.2, 9, 9.5, 40, 41, 90]), list("aaaabbbc"))


@pytest.fixture
def results(images: RunImages) -> QueryResults:
    return search(images, ["test"], ["test"])


def test_classes_are_worst_first_with_wilson_intervals(
    images: RunImages, results: QueryResults
) -> None:
    rows = per_class(results, images)
    assert [(row["name"], row["queries"], row["recall_at_1"]) for row in rows] == [
        ("b", 3, pytest.approx(2 / 3)),
        ("a", 4, 0.75),
    ], "c has one image, and so nothing to find"
    assert (rows[1]["low"], rows[1]["high"]) == wilson(3, 4)[1:]
    # Of b, 4 has the neighbours 3 (a), 2 (a), and R is 2; 5 and 6 have each other, and then 4.
    assert rows[0]["map_at_r"] == pytest.approx((0 + 1 + 1) / 3)


def test_every_class_counts_the_same_in_balanced_means(
    images: RunImages, results: QueryResults
) -> None:
    means = balanced(results, images)
    assert means["recall_at_1"] == pytest.approx((0.75 + 2 / 3) / 2)


def test_confusions_tell_both_directions_and_show_who_was_confused(
    images: RunImages, results: QueryResults
) -> None:
    pictures = PictureBook(images)
    found = confusions(results, images, pictures)
    assert found == [
        {
            "class_name": "b",
            "other": "a",
            "queries": 3,
            "wrong": 1,
            "share": pytest.approx(1 / 3),
            "mutual": 1,
            "pictures": ["4"],
            "other_pictures": ["3"],
        },
        {
            "class_name": "a",
            "other": "b",
            "queries": 4,
            "wrong": 1,
            "share": 0.25,
            "mutual": 1,
            "pictures": ["3"],
            "other_pictures": ["4"],
        },
    ]
    assert set(pictures.draw(1e6)) == {"3", "4"}


def test_examples_of_a_confusion_are_those_with_the_highest_scores() -> None:
    # Each a is nearest to the b beside it, at 1, 2, 3 and 4 degrees.
    images = images_of(at([0, 1, 30, 32, 60, 63, 90, 94, 200, 201]), list("abababab") + ["b", "a"])
    results = search(images, ["test"], ["test"])
    (found, *_) = confusions(results, images, PictureBook(images))
    assert (found["class_name"], found["other"], found["wrong"]) == ("a", "b", 5)
    assert set(found["pictures"][:2]) == {"0", "9"}, "1 degree away each"
    assert found["pictures"][2] == "2"
    partner = {"0": "1", "9": "8", "2": "3"}
    assert found["other_pictures"] == [partner[key] for key in found["pictures"]]


def test_a_perfect_model_confuses_nothing() -> None:
    images = images_of(at([0, 1, 90, 91]), list("aabb"))
    results = search(images, ["test"], ["test"])
    assert confusions(results, images, PictureBook(images)) == []
    assert [row["recall_at_1"] for row in per_class(results, images)] == [1.0, 1.0]
