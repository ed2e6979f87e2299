"""What the page of a comparison draws: changes with their intervals, and the numbers below them.

Each chart comes as a mapping for `figure` of the report's `macros.html.j2`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.report.page.charts import Row, interval_chart
from components.report.page.formats import change, change_interval, count, counted, number
from components.report.page.formats import metric_name as name_of
from pipeline.comparison.changes import HIT, ORDER
from pipeline.comparison.words import p_value_in_words, verdict

# Classes in the chart; the table below it has all.
_CLASSES = 14


def metric_charts(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A chart of the changes for each split and each run but the reference."""
    reference = content["runs"][0]["letter"]
    charts = []
    for split in content["splits"]:
        queries = counted(split["queries"], "common query", "common queries")
        for place, changes in enumerate(split["changes"], start=1):
            run, metrics = changes["run"], changes["metrics"]
            charts.append(
                {
                    "title": f"{run} against {reference}, {split['name']}",
                    "how": f"{queries}. Dots are mean changes, bars 95 % intervals.",
                    "svg": interval_chart(
                        [_bar(name_of(name), found) for name, found in metrics.items()],
                        title=f"Change of {run} against {reference} on {split['name']}",
                        description="; ".join(
                            f"{name_of(name)} {change(found['value'])} ({change_interval(found)})"
                            for name, found in metrics.items()
                        ),
                        x_label=f"{run} − {reference}",
                        zero_line=True,
                    ),
                    "header": ["metric", reference, run, "change", "95 % interval", "verdict"],
                    "rows": [
                        [
                            name_of(name),
                            number(split["metrics"][name][0], 4),
                            number(split["metrics"][name][place], 4),
                            change(found["value"], 4),
                            change_interval(found, 4),
                            verdict(found) or "may be chance",
                        ]
                        for name, found in metrics.items()
                    ],
                    "numeric": [1, 2, 3, 4],
                }
            )
    return charts


def hits(content: Mapping[str, Any]) -> list[list[str]]:
    """How often the nearest image is right, by split and run."""
    return [
        [
            f"{split['name']}, {changes['run']}",
            *(
                count(changes[HIT][key])
                for key in ("both", "only_reference", "only_other", "neither")
            ),
            p_value_in_words(changes[HIT]["p_value"]),
        ]
        for split in content["splits"]
        for changes in split["changes"]
    ]


def class_charts(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A chart for each run whose classes changed at all, with the table of all classes."""
    reference = content["runs"][0]["letter"]
    split = next(s for s in content["splits"] if s["name"] == content["subject"])
    charts = []
    for changes in split["changes"]:
        run = changes["run"]
        moved = [found for found in changes["classes"] if found["change"][ORDER]["value"]]
        if not moved:
            continue
        shown = moved[:_CLASSES]
        charts.append(
            {
                "title": f"{run} against {reference}, MAP@R by class",
                "how": f"{len(shown)} of {counted(len(changes['classes']), 'class', 'classes')}: "
                "those that changed most.",
                "svg": interval_chart(
                    [_bar(found["name"], found["change"][ORDER]) for found in shown],
                    title=f"Change in MAP@R by class, {run} against {reference}",
                    description="; ".join(
                        f"{found['name']} {change(found['change'][ORDER]['value'])}"
                        for found in shown
                    ),
                    x_label=f"MAP@R, {run} − {reference}",
                    zero_line=True,
                ),
                "header": [
                    "class", "queries", f"MAP@R {reference}", f"MAP@R {run}", "change",
                    "95 % interval", f"recall@1 {reference}", f"recall@1 {run}",
                ],
                "rows": [
                    [
                        found["name"],
                        count(found["queries"]),
                        number(found["reference"][ORDER]),
                        number(found["other"][ORDER]),
                        change(found["change"][ORDER]["value"]),
                        change_interval(found["change"][ORDER]),
                        number(found["reference"][HIT]),
                        number(found["other"][HIT]),
                    ]
                    for found in changes["classes"]
                ],
                "numeric": list(range(1, 8)),
            }
        )  # fmt: skip
    return charts


def _bar(label: str, found: Mapping[str, Any]) -> Row:
    return Row(label, found["value"], found["low"], found["high"])
