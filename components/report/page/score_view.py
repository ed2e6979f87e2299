"""The section on scores: how cosines of pairs are distributed, and what the threshold does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.report.page.charts import histogram
from components.report.page.formats import count, counted, listed, number, percent

_NAMES = {
    "same": "same class",
    "other": "other class",
    "nearest_right": "right",
    "nearest_wrong": "wrong",
}


def score_view(scores: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Returns `figures`, `facts` (names and values) and `rates`; None where nothing is known."""
    if not scores or not scores.get("edges"):
        return None
    return {
        "figures": [
            figure
            for figure in (
                _figure(
                    scores,
                    ("same", "other"),
                    "Pairs of images",
                    f"Cosine of every query with every image{_gallery(scores)}, as shares of the "
                    "pairs of each kind. The less the two overlap, the better one threshold tells "
                    "them apart.",
                    "share of pairs",
                ),
                _figure(
                    scores,
                    ("nearest_right", "nearest_wrong"),
                    "The most similar image of each query",
                    f"The cosine of the nearest{_gallery(scores)}, where its class is right and "
                    "where it is wrong. Wrong ones above the threshold are false matches that a "
                    "user of the model sees.",
                    "queries",
                ),
            )
            if figure
        ],
        "facts": _facts(scores),
        "rates": [
            [
                percent(row.get("rate"), 2),
                percent(row.get("misses"), 1),
                number(row.get("threshold")),
            ]
            for row in scores.get("false_matches") or ()
        ],
    }


def _gallery(scores: Mapping[str, Any]) -> str:
    """What was searched, as the served model does."""
    splits = scores.get("gallery_splits")
    if not splits:
        return ""
    size = f" ({counted(scores['gallery'], 'image')})" if scores.get("gallery") else ""
    return f" of {listed(list(splits))}{size}"


def _facts(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    threshold = scores.get("threshold")
    found = [
        (
            "Threshold of a match, as the served model uses it",
            "none: nothing is called a match"
            if threshold is None
            else f"cosine {number(threshold)}",
        )
    ]
    if threshold is not None:
        found += [
            (
                "Precision: share of the nearest images above it that are right",
                percent(scores.get("precision_at_threshold"), 1),
            ),
            (
                "Recall: share of queries whose nearest image is above it",
                percent(scores.get("recall_at_threshold"), 1),
            ),
        ]
    return [
        *found,
        (
            "Area under the ROC curve of all pairs (0.5: chance, 1: told apart)",
            number(scores.get("area_under_roc")),
        ),
    ]


def _figure(
    scores: Mapping[str, Any], keys: Sequence[str], title: str, how: str, y_label: str
) -> dict[str, Any] | None:
    edges = scores["edges"]
    series = {_NAMES[key]: scores[key] for key in keys if scores.get(key)}
    if not series:
        return None
    threshold = scores.get("threshold")
    words = "; ".join(_in_words(name, edges, heights) for name, heights in series.items())
    if threshold is not None:
        words += f"; threshold {number(threshold)}"
    whole = y_label == "queries"
    return {
        "title": title,
        "how": how,
        "svg": histogram(
            edges,
            series,
            title=title,
            description=f"Distribution of cosines: {words}.",
            x_label="cosine",
            y_label=y_label,
            line=None if threshold is None else (threshold, f"match from {number(threshold, 2)}"),
        ),
        "header": ["cosine from", *series],
        "rows": [
            [number(edge, 2), *(count(value) if whole else percent(value, 2) for value in values)]
            for edge, *values in zip(edges, *series.values(), strict=False)
            if any(values)
        ],
    }


def _in_words(name: str, edges: Sequence[float], heights: Sequence[float]) -> str:
    """Where half of it is, and how much there is if it is counted."""
    total, below = sum(heights), 0.0
    for edge, next_edge, height in zip(edges, edges[1:], heights, strict=False):
        below += height
        if below >= total / 2:
            middle = (edge + next_edge) / 2
            counted = f" of {total:,.0f}" if total > 1.5 else ""
            return f"{name}{counted}: half are below about {number(middle, 2)}"
    return f"{name}: none"
