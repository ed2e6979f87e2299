"""The section on what changed against the last blessed model, and the table of all metrics."""

from __future__ import annotations

from typing import Any

from components.report.page import facts
from components.report.page.charts import Row, interval_chart
from components.report.page.facts import Content
from components.report.page.formats import (
    change,
    change_interval,
    interval,
    metric_name,
    number,
)

_SHOWN = (
    "recall_at_1",
    "recall_at_5",
    "recall_at_10",
    "map_at_r",
    "r_precision",
    "mean_average_precision",
    "mean_reciprocal_rank",
)


def change_view(content: Content) -> list[dict[str, Any]]:
    """Returns a figure for each split that was compared; empty without a baseline."""
    return [
        figure
        for split in facts.evaluated_splits(content)
        if (figure := _figure(content, split)) is not None
    ]


def _figure(content: Content, split: str) -> dict[str, Any] | None:
    found = [(name, facts.difference(content, split, name)) for name in _SHOWN]
    known = [(metric_name(name), value) for name, value in found if value]
    if not known:
        return None
    title = f"Change on {split}"
    words = "; ".join(
        f"{name} {change(value['value'])} (95 %: {change_interval(value)})" for name, value in known
    )
    return {
        "title": title,
        "how": "Right of 0 is better. A line that leaves 0 out (blue, round dot): more than chance "
        "explains. Others (grey, square dot) may be chance.",
        "svg": interval_chart(
            [
                Row(name, value["value"], value.get("low"), value.get("high"))
                for name, value in known
            ],
            title=title,
            description=words + ".",
            x_label="difference to the last blessed model",
            zero_line=True,
        ),
        "header": ["metric", "change", "95 %"],
        "rows": [[name, change(value["value"]), change_interval(value)] for name, value in known],
    }


def all_metrics(content: Content) -> list[list[str]]:
    """Returns a row a metric and split: name, split, value, interval, change, its interval."""
    rows = []
    for split in facts.evaluated_splits(content):
        for name, found in (content["evaluations"][split].get("metrics") or {}).items():
            changed = facts.difference(content, split, name)
            rows.append(
                [
                    metric_name(name),
                    split,
                    number(found.get("value")),
                    interval(found),
                    change(changed["value"]) if changed else "",
                    change_interval(changed) if changed else "",
                ]
            )
    return rows
