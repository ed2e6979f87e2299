"""The embedding map: every image as a point, near what its embedding is near, by t-SNE.

van der Maaten and Hinton, "Visualizing data using t-SNE", JMLR 2008, with trees (van der Maaten,
JMLR 2014) from scikit-learn. What costs time is the number of steps times the number of points. On
the 8,189 images of Flowers 102 with embeddings of 1280 numbers, the share of an image's ten nearest
that are of its class is 0.773 among the embeddings and, in the map, with 50 principal components,
perplexity 20 and angle 0.8:

- 0.769 with 250 steps of early exaggeration, scikit-learn's number, and 150 others;
- 0.768 with 100 and 150, which is what is done here, in six tenths of the time;
- 0.752 with 250 and 50, in eight tenths.

Mapping a part and putting the others between the nearest of these costs half as much again less,
and clusters lose their outlines. Distances between clusters and their sizes mean little in any such
map.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import threadpoolctl

from components.report.findings.query_results import QueryResults
from components.report.findings.run_images import Ints, RunImages
from retrieval.rows import unit_rows

# Coordinates are 0 … SPAN.
SPAN = 1000
PERPLEXITY, ANGLE = 20.0, 0.8
_EXAGGERATED_STEPS = 100
# Of few points, which cost little, many: a point that was thrown out of its cluster has to return.
_MOST_STEPS, _FEWEST_STEPS, _STEPS_TIMES_POINTS = 1000, 250, 2_000_000
_COMPONENTS = 50
# With fewer points t-SNE has nothing to balance, and two principal components show all.
_FEWEST = 5
# More threads would add up one sum in an order that differs from run to run.
_THREADS = 2


class Placed(NamedTuple):
    """Points in the plane.

    Attributes:
        places: [N, 2].
        method: "t-SNE" or "PCA".
        perplexity: Of t-SNE.
    """

    places: npt.NDArray[np.floating[Any]]
    method: str
    perplexity: float | None


def chosen(images: RunImages, most: int, seed: int) -> Ints:
    """Rows of the images that are shown: all, or as many of each class as its share."""
    count = len(images)
    if count <= most:
        return np.arange(count)
    drawn = np.lexsort((np.random.default_rng(seed).random(count), images.classes))
    return np.sort(drawn[(np.arange(most) * count) // most])


def embedding_map(
    images: RunImages, rows: Ints, splits: list[str], results: QueryResults | None, seed: int
) -> dict[str, Any] | None:
    """The map without its sprite; None without images.

    Args:
        images: All images.
        rows: Those that are shown, [M].
        splits: Names, whose positions stand for the splits.
        results: Of the queries; the nearest neighbour decides on `right`.
        seed: Of t-SNE.

    Returns:
        `x`, `y`, `classes`, `splits`, `right` (1 or 0, and -1 for what is no query or has nothing
        to find) and `ids` of the images; `centers`, which are mapped as if they were images: the
        mean of the unit embeddings of each class in the training split (without one, of all
        splits), drawn out to unit length, None for a class that has none. The training's own
        centers are not exported.
    """
    if not len(rows):
        return None
    unit = unit_rows(images.embeddings)
    with_center, centers = _centers(unit, images)
    placed = place(np.concatenate([unit[rows], centers]), seed)
    places = _whole(placed.places)
    of_class: list[list[int] | None] = [None] * len(images.class_names)
    for position, center in zip(with_center, places[len(rows) :], strict=True):
        of_class[position] = center.tolist()
    right = np.full(len(images), -1)
    if results is not None:
        asked = results.rows[results.answered]
        nearest = results.neighbours[results.answered, 0]
        right[asked] = images.classes[nearest] == images.classes[asked]
    position_of = {name: position for position, name in enumerate(splits)}
    return {
        "method": placed.method,
        "perplexity": placed.perplexity,
        "images": len(rows),
        "of": len(images),
        "x": places[: len(rows), 0].tolist(),
        "y": places[: len(rows), 1].tolist(),
        "classes": images.classes[rows].tolist(),
        "splits": [position_of[split] for split in images.splits[rows]],
        "right": right[rows].tolist(),
        "ids": images.ids[rows].tolist(),
        "centers": of_class,
    }


def _centers(
    unit: npt.NDArray[np.float32], images: RunImages
) -> tuple[Ints, npt.NDArray[np.float32]]:
    """Classes that have a center, [K], and the centers, [K, D]."""
    used = images.among(["train"])
    if not used.any():
        used = np.ones(len(images), bool)
    sums = np.zeros((len(images.class_names), unit.shape[1]))
    np.add.at(sums, images.classes[used], unit[used])
    classes = np.unique(images.classes[used])
    return classes, unit_rows(sums[classes])


def place(vectors: npt.NDArray[np.float32], seed: int) -> Placed:
    """Maps points [N, D], N at least 1, to the plane; the same points to the same places."""
    # Both take a while to import.
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    class BrieflyExaggerated(TSNE):
        # scikit-learn has no parameter for it. Were the name to go, it would exaggerate for longer.
        _EXPLORATION_MAX_ITER = _EXAGGERATED_STEPS

    count, dim = vectors.shape
    components = min(_COMPONENTS, count, dim)
    centred = vectors - vectors.mean(axis=0)
    # One point, or all in one place up to rounding: there is no direction to tell them apart by.
    if np.abs(centred).max() < 1e-6:
        return Placed(np.zeros((count, 2)), "PCA", None)
    solver = "randomized" if count > 1000 and dim > 2 * _COMPONENTS else "full"
    with threadpoolctl.threadpool_limits(_THREADS):
        pca = PCA(components, svd_solver=solver, random_state=seed)
        reduced = pca.fit_transform(centred).astype(np.float32)
        start = np.zeros((count, 2), np.float32)
        start[:, : min(2, components)] = reduced[:, :2]
        if count < _FEWEST:
            return Placed(start, "PCA", None)
        perplexity = min(PERPLEXITY, (count - 1) / 3)
        tsne = BrieflyExaggerated(
            perplexity=perplexity,
            angle=ANGLE,
            max_iter=_steps(count),
            # As scikit-learn starts from principal components, which need not be two here.
            init=start / start[:, 0].std() * 1e-4,
            random_state=seed,
            n_jobs=_THREADS,
        )
        places = tsne.fit_transform(reduced)
    return Placed(places, "t-SNE", round(perplexity, 2))


def _steps(count: int) -> int:
    return max(_FEWEST_STEPS, min(_MOST_STEPS, _STEPS_TIMES_POINTS // count))


def _whole(places: npt.NDArray[np.floating[Any]]) -> Ints:
    """Whole coordinates 0 … SPAN, one scale for both axes, the shorter side centred."""
    low, high = places.min(axis=0), places.max(axis=0)
    size = float((high - low).max())
    scale = SPAN / size if size > 0 else 0.0
    return np.rint((places - (low + high) / 2) * scale + SPAN / 2).clip(0, SPAN).astype(np.int64)
