"""How each class fares, and which classes are taken for each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from components.report.findings.pictures import PictureBook
from components.report.findings.query_results import QueryResults
from components.report.findings.run_images import Ints, RunImages
from retrieval.confidence import class_balanced_mean
from retrieval.proportions import wilson

MOST_CONFUSIONS = 20
_EXAMPLES = 3


def balanced(results: QueryResults, images: RunImages) -> dict[str, float]:
    """By metric, the mean over classes of the mean over each class's queries."""
    classes = images.classes[results.rows]
    return {name: class_balanced_mean(value, classes) for name, value in results.values.items()}


def per_class(results: QueryResults, images: RunImages) -> list[dict[str, Any]]:
    """Recall@1 and MAP@R of each class that has a query to count, worst first.

    `queries` are those with a relevant image; `low` and `high` are the 95 % bounds of recall@1
    (Wilson), in which queries count as independent of each other.
    """
    classes = images.classes[results.rows]
    rows = []
    for place in np.unique(classes[results.answered]):
        own = results.answered & (classes == place)
        right = round(float(results.values["recall_at_1"][own].sum()))
        share = wilson(right, int(own.sum()))
        rows.append(
            {
                "name": images.class_names[place],
                "queries": int(own.sum()),
                "recall_at_1": share.value,
                "map_at_r": float(results.values["map_at_r"][own].mean()),
                "low": share.low,
                "high": share.high,
            }
        )
    return sorted(rows, key=lambda row: (row["recall_at_1"], row["map_at_r"], row["name"]))


def confusions(
    results: QueryResults, images: RunImages, pictures: PictureBook
) -> list[dict[str, Any]]:
    """Pairs of classes, by how many queries of the one have a nearest neighbour of the other.

    Of each: `wrong`, these queries; `queries`, all of the class that have a relevant image, and
    `share`, wrong of them; `mutual`, how many queries of the other class have a nearest neighbour
    of this one. `pictures` shows the queries that were wrong with the highest scores, and
    `other_pictures` what each of them was taken for.
    """
    classes = images.classes[results.rows]
    nearest = np.where(
        results.answered, np.append(images.classes, -1)[results.neighbours[:, 0]], -1
    )
    wrong = (nearest >= 0) & (nearest != classes)
    pairs, counts = np.unique(
        np.stack([classes[wrong], nearest[wrong]], axis=1), axis=0, return_counts=True
    )
    count_of = {(int(a), int(b)): int(n) for (a, b), n in zip(pairs, counts, strict=True)}
    totals = np.bincount(classes[results.answered], minlength=len(images.class_names))
    ranked = sorted(
        count_of.items(), key=lambda item: (-item[1], -item[1] / totals[item[0][0]], item[0])
    )
    found = []
    for (own, other), count in ranked[:MOST_CONFUSIONS]:
        queries = _surest(results, np.flatnonzero((classes == own) & wrong & (nearest == other)))
        found.append(
            {
                "class_name": images.class_names[own],
                "other": images.class_names[other],
                "queries": int(totals[own]),
                "wrong": count,
                "share": count / int(totals[own]),
                "mutual": count_of.get((other, own), 0),
                "pictures": [pictures.add(results.rows[query]) for query in queries],
                "other_pictures": [pictures.add(results.neighbours[query, 0]) for query in queries],
            }
        )
    return found


def _surest(results: QueryResults, queries: Ints) -> Ints:
    """The queries whose nearest neighbours have the highest scores."""
    return queries[np.argsort(-results.scores[queries, 0], kind="stable")[:_EXAMPLES]]
