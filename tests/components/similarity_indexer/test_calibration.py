"""The match threshold and the recall of routing, beside what definitions give on all pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from components.image_embedder.records import EmbeddedImages
from components.similarity_indexer.calibration import (
    exact_neighbours,
    match_threshold,
    routed_recall,
)
from retrieval.cells import class_cells
from retrieval.rows import unit_rows
from retrieval.tf_routed_search import RoutedGallery

K = 4


def _images(rows: np.ndarray, labels: np.ndarray, prefix: str = "photo") -> EmbeddedImages:
    return EmbeddedImages(
        ids=np.array([f"{prefix} {i}".encode() for i in range(len(labels))], object),
        labels=labels,
        class_names=np.array([f"class {label}".encode() for label in labels], object),
        embeddings=unit_rows(rows),
        thumbnails=np.array([b""] * len(labels), object),
    )


@pytest.fixture(scope="module")
def classes() -> EmbeddedImages:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(12), 5)
    rows = rng.normal(size=(12, 8))[labels] + 0.7 * rng.normal(size=(60, 8))
    return _images(rows, labels)


def _nearest(images: EmbeddedImages) -> tuple[np.ndarray, np.ndarray]:
    cosines = images.embeddings.astype(np.float64) @ images.embeddings.T.astype(np.float64)
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argsort(-cosines, axis=1)[:, :K]
    return np.take_along_axis(cosines, nearest, axis=1), nearest


def test_threshold_is_the_lowest_precise_enough_and_ignores_the_query_itself(
    classes: EmbeddedImages,
) -> None:
    scores, nearest = _nearest(classes)
    same = classes.labels[nearest] == classes.labels[:, None]
    precise = [t for t in scores.ravel() if same[scores >= t].mean() >= 0.8]
    neighbours = exact_neighbours(classes, classes, K)
    assert match_threshold(neighbours, classes, classes, precision=0.8) == pytest.approx(
        min(precise), abs=1e-6
    )


@pytest.mark.parametrize("probes", [1, 2, 5, 12])
def test_recall_is_the_share_of_neighbours_in_probed_cells(
    probes: int, classes: EmbeddedImages
) -> None:
    cells = class_cells(classes.embeddings, classes.labels, bounds=(1, 5))
    routed = RoutedGallery(classes.embeddings, cells, probes=probes)
    centroids = np.stack([classes.embeddings[classes.labels == c].mean(axis=0) for c in range(12)])
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    probed = np.argsort(-classes.embeddings @ centroids.T, axis=1)[:, :probes]
    _, nearest = _nearest(classes)
    in_probed = (classes.labels[nearest][:, :, None] == probed[:, None, :]).any(axis=2)
    recall = routed_recall(exact_neighbours(classes, classes, K), classes, classes, routed)
    assert recall == pytest.approx(in_probed.mean())
    assert recall == 1.0 if probes == 12 else recall < 1.0


def test_queries_that_are_not_in_the_gallery(classes: EmbeddedImages) -> None:
    rng = np.random.default_rng(1)
    rows = classes.embeddings + 0.1 * rng.normal(size=classes.embeddings.shape)
    others = _images(rows, classes.labels, prefix="other")
    neighbours = exact_neighbours(others, classes, K)
    # Each has its original among its neighbours, which none of the originals has.
    assert (neighbours.rows == np.arange(60)[:, None]).any(axis=1).mean() > 0.9
    cells = class_cells(classes.embeddings, classes.labels, bounds=(1, 5))
    routed = RoutedGallery(classes.embeddings, cells, probes=12)
    assert routed_recall(neighbours, others, classes, routed) == 1.0


def test_a_gallery_of_fewer_images_than_neighbours(classes: EmbeddedImages) -> None:
    few = _images(classes.embeddings[:3], classes.labels[:3])
    neighbours = exact_neighbours(few, few, K)
    assert (neighbours.rows[:, 2:] == -1).all() and (neighbours.rows[:, :2] >= 0).all()
    routed = RoutedGallery(few.embeddings, class_cells(few.embeddings, few.labels), probes=1)
    assert routed_recall(neighbours, few, few, routed) == 1.0


def test_without_queries_nothing_matches_and_recall_is_unknown(classes: EmbeddedImages) -> None:
    none = _images(np.empty((0, 8)), np.empty(0, np.int64))
    neighbours = exact_neighbours(none, classes, K)
    assert match_threshold(neighbours, none, classes, precision=0.8) == math.inf
    cells = class_cells(classes.embeddings, classes.labels)
    routed = RoutedGallery(classes.embeddings, cells, probes=1)
    assert math.isnan(routed_recall(neighbours, none, classes, routed))
