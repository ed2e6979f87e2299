"""The section on the data: images of each class, copies and leaks, images that were skipped."""

from __future__ import annotations

from typing import Any

from components.report.page.charts import bar_chart, column_chart
from components.report.page.facts import Content
from components.report.page.formats import count, counted

_LABELLED = 24  # more classes than this get columns without names


def data_view(content: Content) -> dict[str, Any] | None:
    """Returns `figure`, `splits`, `data` and the findings in words; None where nothing is known."""
    data, splits = content.get("data"), content.get("splits") or []
    if not data:
        return None
    return {
        "splits": [(split["name"], count(split["images"])) for split in splits],
        "total": sum(split["images"] for split in splits),
        "figure": _counts(content, data),
        "bad_count": data.get("bad_count") or 0,
        "bad_images": data.get("bad_images") or [],
        "duplicates": data.get("duplicates"),
        "near_duplicates": data.get("near_duplicates"),
    }


def _counts(content: Content, data: dict[str, Any]) -> dict[str, Any] | None:
    classes, counts = content.get("classes") or [], data.get("class_counts") or []
    splits = [split["name"] for split in content.get("splits") or ()]
    # Classes of a split that was not embedded are not known.
    known = [place for place, _ in enumerate(splits) if counts and counts[0][place] is not None]
    if not classes or not known:
        return None
    names = [splits[place] for place in known]
    counts = [[row[place] for place in known] for row in counts]
    order = sorted(range(len(classes)), key=lambda row: (-sum(counts[row]), row))
    series = {name: [counts[row][n] for row in order] for n, name in enumerate(names)}
    totals = [sum(counts[row]) for row in order]
    title = "Images of each class"
    description = f"{counted(len(classes), 'class', 'classes')}, "
    if totals[0] == totals[-1]:
        description += f"each with {counted(totals[0], 'image')}."
    else:
        description += (
            f"from {counted(totals[0], 'image')} ({classes[order[0]]}) to {count(totals[-1])} "
            f"({classes[order[-1]]}); median {count(totals[len(totals) // 2])}."
        )
    if len(classes) <= _LABELLED:
        svg = bar_chart(
            [classes[row] for row in order],
            series,
            title=title,
            description=description,
            x_label="images",
            numbers=[count(total) for total in totals],
        )
    else:
        svg = column_chart(
            series,
            title=title,
            description=description,
            x_label="classes, the largest first",
            y_label="images",
        )
    return {
        "title": title,
        "how": description,
        "svg": svg,
        "header": ["class", *names, "all"],
        "rows": [
            [classes[row], *(count(number) for number in counts[row]), count(sum(counts[row]))]
            for row in order
        ],
    }
