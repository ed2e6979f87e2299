"""The section on classes: recall@1 of the worst and the best, all of them, and confused pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.report.page.charts import Row, interval_chart
from components.report.page.facts import Content
from components.report.page.formats import count, counted, interval, number, percent

_SHOWN = 12
_PAIRS = 9


def class_view(content: Content) -> dict[str, Any] | None:
    """Returns `figures`, the table of all classes, and `confusions`; None without any class."""
    rows = [row for row in content.get("per_class") or () if row.get("recall_at_1") is not None]
    if not rows:
        return None
    header = ["class", "queries", "recall@1", "95 % (Wilson)", "MAP@R"]
    if len(rows) <= 2 * _SHOWN:
        figures = [_figure("All classes, the worst first", rows, header)]
    else:
        figures = [
            _figure(f"The {_SHOWN} worst classes", rows[:_SHOWN], header),
            _figure(f"The {_SHOWN} best classes", rows[-_SHOWN:][::-1], header),
        ]
    return {
        "count": len(rows),
        "figures": figures,
        "header": header,
        # What is all on one chart is all in its table.
        "rows": _table(rows) if len(figures) > 1 else [],
        **_confused(content.get("confusions") or ()),
    }


def _confused(pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`confusions` to look at, each pair of classes once; `confusion_rows` of all."""
    seen: set[frozenset[str]] = set()
    shown: list[Mapping[str, Any]] = []
    for pair in pairs:
        both = frozenset((pair["class_name"], pair["other"]))
        if both not in seen and len(shown) < _PAIRS:
            shown.append(pair)
        seen.add(both)
    rows = [
        [
            pair["class_name"],
            pair["other"],
            pair["wrong"],
            pair["queries"],
            percent(pair.get("share")),
            count(pair.get("mutual") or 0),
        ]
        for pair in pairs
    ]
    return {"confusions": shown, "confusion_rows": rows}


def _table(rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    return [
        [
            row["name"],
            row["queries"],
            number(row["recall_at_1"]),
            interval(row, 2),
            number(row.get("map_at_r")),
        ]
        for row in rows
    ]


def _figure(title: str, rows: Sequence[Mapping[str, Any]], header: list[str]) -> dict[str, Any]:
    words = "; ".join(
        f"{row['name']} {percent(row['recall_at_1'])} of "
        f"{counted(row['queries'], 'query', 'queries')}"
        for row in rows
    )
    return {
        "title": title,
        "how": "Dot: recall@1, the share of the class’s queries whose most similar image is of the "
        "class. Line: its 95 % interval (Wilson), wide where there are few queries.",
        "svg": interval_chart(
            [Row(row["name"], row["recall_at_1"], row.get("low"), row.get("high")) for row in rows],
            title=title,
            description=f"recall@1 by class: {words}.",
            x_label="recall@1",
            limits=(0, 1.01),
        ),
        "header": header,
        "rows": _table(rows),
    }
