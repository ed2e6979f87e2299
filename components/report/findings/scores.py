"""What cosines tell: those of images of one class and of two, and the served model's threshold.

Scores are those that the served model would give: the subject's queries, searched in the splits
that it searches (each query excluded from its own answer). So the threshold can be held against
them, which was calibrated on the same gallery with other queries. They are not those behind the
retrieval metrics, whose gallery may be another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from components.report.findings.run_images import Ints, RunImages
from retrieval import verification
from retrieval.evaluation import FALSE_MATCH_RATES
from retrieval.leading_ranks import relevant_counts
from retrieval.search import top_k
from retrieval.verification import BINS, PairScores

# Bins that are shown at most.
MOST_BINS = 64


def scores(
    images: RunImages, queries: Ints, gallery: Ints, threshold: float | None
) -> dict[str, Any] | None:
    """Histograms of scores, and what the threshold makes of them.

    Args:
        images: All images.
        queries: Rows of the queries, [Q].
        gallery: Rows of what the served model searches, [G]; may hold queries.
        threshold: From which on it calls a neighbour a match; None for never.

    Returns:
        `edges` of the bins, [b + 1]; `same` and `other`, shares of the pairs of one class and of
        two, [b]; `nearest_right` and `nearest_wrong`, how many queries have a nearest neighbour of
        their class, and of another, [b]; `precision_at_threshold`, the share of right ones among
        nearest neighbours that match, and `recall_at_threshold`, the share of queries whose nearest
        neighbour matches; `area_under_roc` and, by false match `rate`, `misses` and `threshold` of
        all pairs. Queries without an image of their class in the gallery count in `other` only.
        `gallery_splits` and `gallery` say what was searched. None without any pair.
    """
    pairs = _pair_scores(images, queries, gallery)
    if not (pairs.genuine.any() or pairs.impostor.any()):
        return None
    nearest, right = _nearest(images, queries, gallery)
    fine = np.stack(
        [
            pairs.genuine,
            pairs.impostor,
            *(
                np.bincount(verification.bins_of(nearest[chosen]), minlength=BINS)
                for chosen in (right, ~right)
            ),
        ]
    )
    edges, (same, other, nearest_right, nearest_wrong) = _merged(fine)
    matches = nearest >= threshold if threshold is not None else None
    return {
        "edges": edges.tolist(),
        "same": _shares(same),
        "other": _shares(other),
        "nearest_right": nearest_right.tolist(),
        "nearest_wrong": nearest_wrong.tolist(),
        "threshold": threshold,
        "precision_at_threshold": None if matches is None else _mean(right[matches]),
        "recall_at_threshold": None if matches is None else _mean(matches),
        "area_under_roc": verification.area_under_roc(pairs),
        "false_matches": [_false_matches(pairs, rate) for rate in FALSE_MATCH_RATES],
        "gallery": len(gallery),
        "gallery_splits": sorted(set(images.splits[gallery])),
    }


def _pair_scores(images: RunImages, queries: Ints, gallery: Ints) -> PairScores:
    """Each pair of a query and a gallery image once, and no image with itself."""
    own, others = np.intersect1d(queries, gallery), np.setdiff1d(gallery, queries)
    outside = np.setdiff1d(queries, gallery)
    vectors, classes = images.embeddings, images.classes
    counted = PairScores(np.zeros(BINS, np.int64), np.zeros(BINS, np.int64))
    if len(own):
        counted += verification.pair_scores(vectors[own], classes[own])
    for left, right in ((own, others), (outside, gallery)):
        if len(left) and len(right):
            counted += verification.pair_scores(
                vectors[left], classes[left], vectors[right], classes[right]
            )
    return counted


def _nearest(
    images: RunImages, queries: Ints, gallery: Ints
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Of the queries that have an image of their class to find: best score, and if it is of one."""
    classes = images.classes[queries], images.classes[gallery]
    ids = images.keys[queries], images.keys[gallery]
    asked = relevant_counts(classes, ids) > 0
    found, place = top_k(
        images.embeddings[queries[asked]],
        images.embeddings[gallery],
        1,
        query_ids=ids[0][asked],
        gallery_ids=ids[1],
    )
    return found[:, 0], classes[1][place[:, 0]] == classes[0][asked]


def _merged(fine: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Histograms [H, BINS] in so few bins that they can be shown, empty ends cut off.

    Bins are merged by powers of two: counts stay exact, and edges are round numbers.
    """
    used = np.flatnonzero(fine.any(axis=0))
    first, last = int(used[0]), int(used[-1])
    width = 1
    while last // width - first // width >= MOST_BINS:
        width *= 2
    merged = fine.reshape(len(fine), -1, width).sum(axis=2)
    start, stop = first // width, last // width + 1
    edges = np.arange(start, stop + 1, dtype=np.float64) * width * (2.0 / BINS) - 1.0
    return edges, merged[:, start:stop]


def _shares(counts: npt.NDArray[np.int64]) -> list[float]:
    return (counts / max(1, counts.sum())).tolist()


def _mean(values: npt.NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None


def _false_matches(pairs: PairScores, rate: float) -> dict[str, float]:
    misses, threshold = verification.fnmr_at_fmr(pairs, rate)
    return {"rate": rate, "misses": misses, "threshold": threshold}
