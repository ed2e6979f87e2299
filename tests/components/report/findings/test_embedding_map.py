"""The map: its points, its centers, and embeddings with which t-SNE is at a loss."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from components.report.findings import embedding_map
from components.report.findings.query_results import search
from components.report.findings.run_images import RunImages
from tests.components.report.findings.build import images_of


@pytest.fixture(scope="module")
def images() -> RunImages:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 40)
    vectors = rng.normal(size=(6, 32))[labels] + rng.normal(size=(len(labels), 32)) * 0.4
    splits = [("train", "validation", "test")[number % 3] for number in range(len(labels))]
    return images_of(vectors, [f"class {label}" for label in labels], splits)


@pytest.fixture(scope="module")
def drawn(images: RunImages) -> dict:
    results = search(images, ["test"], ["test"])
    found = embedding_map.embedding_map(
        images, np.arange(len(images)), ["train", "validation", "test"], results, seed=0
    )
    assert found is not None
    return found


def test_images_of_a_class_lie_together_and_centers_among_them(
    images: RunImages, drawn: dict
) -> None:
    places = np.array([drawn["x"], drawn["y"]]).T
    classifier = KNeighborsClassifier(5).fit(places, images.classes)
    assert classifier.score(places, images.classes) > 0.95
    assert classifier.predict(drawn["centers"]).tolist() == list(range(6))
    assert places.min() == 0 and places.max() == 1000, "the map fills its square"


def test_points_tell_what_they_are(images: RunImages, drawn: dict) -> None:
    assert drawn["method"] == "t-SNE" and drawn["images"] == drawn["of"] == len(images)
    assert drawn["ids"] == images.ids.tolist()
    assert drawn["classes"] == images.classes.tolist()
    names = ("train", "validation", "test")
    assert [names[place] for place in drawn["splits"]] == images.splits.tolist()
    unit = images.embeddings / np.linalg.norm(images.embeddings, axis=1, keepdims=True)
    tested = np.flatnonzero(images.splits == "test")
    for row, right in enumerate(drawn["right"]):
        if row not in tested:
            assert right == -1
            continue
        others = tested[tested != row]
        nearest = others[np.argmax(unit[others] @ unit[row])]
        assert right == (images.classes[nearest] == images.classes[row])


def test_the_same_images_give_the_same_map(images: RunImages, drawn: dict) -> None:
    again = embedding_map.embedding_map(
        images, np.arange(len(images)), ["train", "validation", "test"], None, seed=0
    )
    assert again is not None
    assert (again["x"], again["y"], again["centers"]) == (drawn["x"], drawn["y"], drawn["centers"])


def test_centers_are_of_the_training_split(images: RunImages) -> None:
    # Without a train image of class 0: it has no center, though others have.
    splits = images.splits.copy()
    splits[images.classes == 0] = "test"
    held_out = RunImages(**{**vars(images), "splits": splits})
    found = embedding_map.embedding_map(
        held_out, np.arange(len(images)), ["train", "validation", "test"], None, seed=0
    )
    assert found is not None
    assert found["centers"][0] is None and None not in found["centers"][1:]
    # Without any train image: of all splits.
    splits = np.array(["test"] * len(images), object)
    only_test = RunImages(**{**vars(images), "splits": splits})
    found = embedding_map.embedding_map(only_test, np.arange(len(images)), ["test"], None, seed=0)
    assert found is not None
    assert None not in found["centers"]


def test_of_many_images_each_class_keeps_its_share() -> None:
    names = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    images = images_of(np.ones((100, 2)), names)
    rows = embedding_map.chosen(images, 20, seed=0)
    assert len(set(rows.tolist())) == 20 and np.all(np.diff(rows) > 0)
    counts = np.bincount(images.classes[rows])
    assert counts.tolist() == [12, 6, 2]
    assert embedding_map.chosen(images, 100, seed=0).tolist() == list(range(100))
    assert not np.array_equal(rows, embedding_map.chosen(images, 20, seed=1))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 21])
@pytest.mark.parametrize("dim", [1, 2, 7])
def test_few_images_of_few_dimensions(count: int, dim: int) -> None:
    rng = np.random.default_rng(count)
    placed = embedding_map.place(rng.normal(size=(count, dim)).astype(np.float32), seed=0)
    assert placed.places.shape == (count, 2) and np.isfinite(placed.places).all()
    assert placed.method == ("t-SNE" if count >= 5 else "PCA")
    assert placed.perplexity is None or placed.perplexity < count


def test_few_images_keep_their_distances() -> None:
    triangle = np.array([[0, 0, 1], [3, 0, 1], [0, 4, 1]], np.float32)
    placed = embedding_map.place(triangle, seed=0)
    sides = sorted(
        np.linalg.norm(placed.places[a] - placed.places[b]) for a, b in ((0, 1), (0, 2), (1, 2))
    )
    assert sides == pytest.approx([3, 4, 5], rel=1e-4)


def test_collapsed_embeddings_are_one_point() -> None:
    images = images_of(np.ones((30, 4)), list("abc") * 10)
    found = embedding_map.embedding_map(images, np.arange(30), ["test"], None, seed=0)
    assert found is not None
    assert set(found["x"]) == set(found["y"]) == {500} and found["centers"] == [[500, 500]] * 3


def test_nothing_to_map() -> None:
    images = images_of(np.empty((0, 4)), [])
    assert embedding_map.embedding_map(images, np.arange(0), [], None, seed=0) is None
