"""The metric cards of the first screen."""

from __future__ import annotations

from typing import Any

from components.report.page import facts
from components.report.page.facts import Content, Context
from components.report.page.formats import metric_name

DEFINITIONS = {
    "recall_at_1": "share of queries whose most similar image is of their class",
    "recall_at_5": "share of queries with an image of their class among the five most similar",
    "recall_at_10": "share of queries with an image of their class among the ten most similar",
    "map_at_r": "average precision over the R first, divided by R, the number of images of the "
    "query’s class to find (Musgrave et al. 2020); mean over queries",
    "r_precision": "share of the R first that are of the query’s class; mean over queries",
    "mean_average_precision": "average precision over the whole ranking, divided by R; mean over "
    "queries",
    "mean_reciprocal_rank": "1 / rank of the first image of the query’s class; mean over queries",
}
SHOWN = ("recall_at_1", "recall_at_5", "map_at_r", "mean_reciprocal_rank")


def headline(content: Content, context: Context) -> list[dict[str, Any]]:
    """Returns the cards by split: `split`, `protocol`, and `cards` for `metric_card`."""
    return [
        {
            "split": split,
            "protocol": facts.protocol(content, context, split),
            "cards": [card for name in SHOWN if (card := _card(content, split, name))],
        }
        for split in facts.evaluated_splits(content)
    ]


def _card(content: Content, split: str, name: str) -> dict[str, Any] | None:
    found = facts.measured(content, split, name)
    if not found:
        return None
    low, high = found.get("low"), found.get("high")
    return {
        "name": metric_name(name),
        "split": split,
        "value": found["value"],
        # Student's t does not know that these are shares.
        "low": None if low is None else max(low, 0.0),
        "high": None if high is None else min(high, 1.0),
        "difference": _difference(content, split, name),
    }


def _difference(content: Content, split: str, name: str) -> dict[str, Any] | None:
    found = facts.difference(content, split, name)
    if not found:
        return None
    value, clear = found["value"], facts.is_clear(found)
    if clear is None:
        return {"kind": "unclear", "symbol": "", "value": value, "words": "no interval"}
    if not clear:
        return {"kind": "unclear", "symbol": "≈", "value": value, "words": "may be chance"}
    if value > 0:
        return {"kind": "better", "symbol": "▲", "value": value, "words": "better"}
    return {"kind": "worse", "symbol": "▼", "value": value, "words": "worse"}
