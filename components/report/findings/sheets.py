"""Queries with their nearest neighbours, to be looked at: the best, the typical, the worst."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from components.report.findings.pictures import PictureBook
from components.report.findings.query_results import QueryResults
from components.report.findings.run_images import Ints, RunImages

ROWS = 8


def sheets(
    results: QueryResults, images: RunImages, pictures: PictureBook
) -> dict[str, list[dict[str, Any]]]:
    """Eight queries of each kind, among those that have a relevant image.

    - `best`: of the highest MAP@R; of equal ones those with the most images to find.
    - `typical`: nearest to the median MAP@R, better ones first.
    - `worst`: of the lowest MAP@R; of equal ones those whose nearest relevant image ranks last,
      then those that are wrong with the highest score.

    No class comes twice while there is a class that has not come: eight rows of the one class that
    is easiest would say little. What remains equal is decided by the images' keys, which is as good
    as a draw.
    """
    asked = np.flatnonzero(results.answered)
    precise = results.values["map_at_r"][asked]
    classes = images.classes[results.rows[asked]]
    # Of 0 and 1/3 as computed in different ways: what differs by rounding is equal.
    precise = precise.round(9)
    from_median = np.abs(precise - np.median(precise)) if len(precise) else precise
    reciprocal = results.values["mean_reciprocal_rank"][asked]
    order = {
        "best": np.lexsort((-results.relevant[asked], -precise)),
        "typical": np.argsort(from_median.round(9), kind="stable"),
        "worst": np.lexsort((-results.scores[asked, 0], reciprocal, precise)),
    }
    chosen = {kind: asked[_spread(ranked, classes)] for kind, ranked in order.items()}
    typical = chosen["typical"]
    chosen["typical"] = typical[
        np.argsort(-results.values["map_at_r"][typical].round(9), kind="stable")
    ]
    return {
        kind: [_row(results, images, pictures, query) for query in queries]
        for kind, queries in chosen.items()
    }


def _spread(order: Ints, classes: npt.NDArray[np.int64]) -> Ints:
    """The first of an order, one of each class, then the second of each class, and so on."""
    ranked = classes[order]
    by_class = np.argsort(ranked, kind="stable")
    counts = np.bincount(ranked)
    starts = np.cumsum(counts) - counts
    nth = np.empty(len(order), np.int64)
    nth[by_class] = np.arange(len(order)) - starts[ranked[by_class]]
    return order[np.argsort(nth, kind="stable")[:ROWS]]


def _row(
    results: QueryResults, images: RunImages, pictures: PictureBook, query: int
) -> dict[str, Any]:
    row = results.rows[query]
    return {
        "id": images.ids[row],
        "class_name": images.class_names[images.classes[row]],
        "picture": pictures.add(row),
        "map_at_r": float(results.values["map_at_r"][query]),
        "first_relevant_rank": results.first_relevant_rank(query),
        "relevant": int(results.relevant[query]),
        "neighbours": [
            {
                "id": images.ids[found],
                "class_name": images.class_names[images.classes[found]],
                "split": images.splits[found],
                "score": round(float(score), 4),
                "same": bool(images.classes[found] == images.classes[row]),
                "picture": pictures.add(found),
            }
            for found, score in zip(results.neighbours[query], results.scores[query], strict=True)
            if found >= 0
        ],
    }
