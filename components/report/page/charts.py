"""Charts as inline SVG (`chart_svg.py`): lines, intervals, bars, columns, histograms.

They are drawn 400 pixels wide, so that their text can be read on a phone. What differs in colour
differs in another way as well. A chart comes with a text alternative; whoever puts it on a page
adds a table of its numbers (`figure` in `templates/macros.html.j2`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from components.report.page.chart_svg import COLOURS, draw
from components.report.page.formats import change, number

WIDTH = 400
_ROW = 24  # height of a row of labels, in pixels
_LABEL_LENGTH = 22  # letters of a label beside a row; the table has the rest

_SERIES = [COLOURS[f"series-{n}"] for n in range(1, 5)]
_DASHES = ["-", "--", ":", "-."]
_HATCHES = [None, "//", "..", "xx"]


class Row(NamedTuple):
    """A value and its interval, of `interval_chart`; `low` and `high` None where there is none."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None


def line_chart(
    series: Mapping[str, Sequence[float | None]],
    *,
    title: str,
    description: str,
    x_label: str,
    y_label: str,
    mark: int | None = None,
    mark_label: str = "kept",
    levels: Mapping[str, float] | None = None,
) -> str:
    """Draws series over 1, 2, 3 and so on.

    Args:
        series: At most four, by name; None leaves a gap.
        title: See `chart_svg.draw`.
        description: The same.
        x_label: What is counted.
        y_label: What is drawn.
        mark: Where an upright line stands.
        mark_label: What it says.
        levels: Level lines, by name.
    """

    def paint(axes: Axes) -> None:
        for (name, values), colour, dash in zip(series.items(), _SERIES, _DASHES, strict=False):
            heights = [math.nan if value is None else value for value in values]
            steps = range(1, len(heights) + 1)
            axes.plot(steps, heights, dash, color=colour, linewidth=2, label=name)
            if len(heights) <= 40:
                axes.plot(steps, heights, "o", color=colour, markersize=4)
        for name, height in (levels or {}).items():
            axes.axhline(height, color=COLOURS["soft"], linewidth=1, linestyle=(0, (1, 2)))
            axes.annotate(
                name, (0, height), (3, 3), xycoords=("axes fraction", "data"),
                textcoords="offset points", fontsize=11, color=COLOURS["soft"],
            )  # fmt: skip
        if mark is not None:
            _upright(axes, mark, mark_label)
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set(xlabel=x_label, ylabel=y_label)
        _legend_above(axes, len(series))

    return draw(paint, width=WIDTH, height=280, title=title, description=description)


def histogram(
    edges: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    title: str,
    description: str,
    x_label: str,
    y_label: str,
    line: tuple[float, str] | None = None,
) -> str:
    """Draws distributions over each other.

    Args:
        edges: Of the bins, [B + 1].
        series: [B] each, by name; at most four.
        title: See `chart_svg.draw`.
        description: The same.
        x_label: What is distributed.
        y_label: What the heights are.
        line: An upright line, and what it says.
    """

    def paint(axes: Axes) -> None:
        for (name, heights), colour, dash, hatch in zip(
            series.items(), _SERIES, _DASHES, _HATCHES, strict=False
        ):
            axes.stairs(heights, edges, fill=True, color=colour, alpha=0.16, linewidth=0)
            if hatch:
                axes.stairs(
                    heights, edges, fill=True, facecolor="none", edgecolor=colour, hatch=hatch,
                    linewidth=0, alpha=0.35,
                )  # fmt: skip
            axes.stairs(heights, edges, color=colour, linestyle=dash, linewidth=2, label=name)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0)
        axes.grid(axis="y")
        axes.set(xlabel=x_label, ylabel=y_label)
        if line is not None:
            _upright(axes, *line)
        _legend_above(axes, len(series))

    return draw(paint, width=WIDTH, height=280, title=title, description=description)


def interval_chart(
    rows: Sequence[Row],
    *,
    title: str,
    description: str,
    x_label: str,
    zero_line: bool = False,
    limits: tuple[float, float] | None = None,
) -> str:
    """Draws values as dots on their intervals, one below the other.

    Args:
        rows: In order, from the top. An interval on one side of 0 is drawn stronger where there is
            a zero line.
        title: See `chart_svg.draw`.
        description: The same.
        x_label: What the values are.
        zero_line: Whether they are differences: 0 gets a line, and values a sign.
        limits: Of the axis; None for what the rows need.
    """

    def paint(axes: Axes) -> None:
        for place, row in enumerate(rows):
            clear = zero_line and row.low is not None and not row.low <= 0 <= (row.high or 0)
            colour = COLOURS["series-2"] if not zero_line or clear else COLOURS["soft"]
            if row.low is not None and row.high is not None:
                axes.plot([row.low, row.high], [place] * 2, color=colour, linewidth=3, alpha=0.55)
            axes.plot(
                [row.value], [place], "o" if not zero_line or clear else "s",
                color=colour, markersize=7, markeredgewidth=0,
            )  # fmt: skip
            axes.annotate(
                change(row.value) if zero_line else number(row.value, 2),
                (1, place), (6, 0), xycoords=("axes fraction", "data"),
                textcoords="offset points", va="center_baseline", color=COLOURS["ink"],
                annotation_clip=False,
            )  # fmt: skip
        if zero_line:
            axes.axvline(0, color=COLOURS["ink"], linewidth=1)
        if limits is not None:
            axes.set_xlim(*limits)
        axes.grid(axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.set_xlabel(x_label)
        _label_rows(axes, [row.label for row in rows])

    height = 50 + _ROW * max(len(rows), 1)
    return draw(paint, width=WIDTH, height=height, title=title, description=description)


def bar_chart(
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    title: str,
    description: str,
    x_label: str,
    numbers: Sequence[str] = (),
) -> str:
    """Draws bars one below the other, those of several series end to end.

    Args:
        labels: In order, from the top, [N].
        series: [N] each, by name; at most four.
        title: See `chart_svg.draw`.
        description: The same.
        x_label: What the lengths are.
        numbers: What stands at the end of each bar, [N]; nothing if empty.
    """

    def paint(axes: Axes) -> None:
        ends = [0.0] * len(labels)
        for (name, lengths), colour, hatch in zip(series.items(), _SERIES, _HATCHES, strict=False):
            axes.barh(
                range(len(labels)), lengths, 0.66, left=ends, color=colour, label=name,
                hatch=hatch, edgecolor=COLOURS["surface"], linewidth=0,
            )  # fmt: skip
            ends = [end + length for end, length in zip(ends, lengths, strict=True)]
        for place, (end, text) in enumerate(zip(ends, numbers, strict=False)):
            axes.annotate(
                text,
                (end, place),
                (5, 0),
                textcoords="offset points",
                va="center_baseline",
                fontsize=12.5,
            )
        if numbers:
            axes.set_xlim(0, max([*ends, 1e-9]) * 1.18)
        axes.grid(axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.set_xlabel(x_label)
        _label_rows(axes, labels)
        _legend_above(axes, len(series))

    height = 54 + _ROW * max(len(labels), 1) + (24 if len(series) > 1 else 0)
    return draw(paint, width=WIDTH, height=height, title=title, description=description)


def column_chart(
    series: Mapping[str, Sequence[float]],
    *,
    title: str,
    description: str,
    x_label: str,
    y_label: str,
) -> str:
    """Draws many columns without names, those of several series on top of each other.

    Args:
        series: [N] each, by name; at most four.
        title: See `chart_svg.draw`.
        description: The same.
        x_label: What the columns are, and in which order.
        y_label: What the heights are.
    """

    def paint(axes: Axes) -> None:
        count = max((len(heights) for heights in series.values()), default=0)
        tops = [0.0] * count
        for (name, heights), colour, hatch in zip(series.items(), _SERIES, _HATCHES, strict=False):
            bottoms = tops
            tops = [top + height for top, height in zip(tops, heights, strict=True)]
            axes.stairs(
                tops, range(1, count + 2), baseline=bottoms, fill=True, color=colour, label=name,
                hatch=hatch, edgecolor=COLOURS["surface"], linewidth=0,
            )  # fmt: skip
        axes.set_xlim(1, count + 1)
        axes.set_ylim(0)
        axes.grid(axis="y")
        axes.set(xlabel=x_label, ylabel=y_label)
        _legend_above(axes, len(series))

    return draw(paint, width=WIDTH, height=260, title=title, description=description)


def _upright(axes: Axes, x: float, text: str) -> None:
    """A labelled line, with the label on the side that has more room."""
    axes.axvline(x, color=COLOURS["ink"], linewidth=1.5, linestyle=(0, (4, 3)))
    left, right = axes.get_xlim()
    to_left = x - left > (right - left) / 2
    axes.annotate(
        text, (x, 1), (-5 if to_left else 5, -2), xycoords=("data", "axes fraction"),
        textcoords="offset points", ha="right" if to_left else "left", va="top", fontsize=11,
    )  # fmt: skip


def _legend_above(axes: Axes, count: int) -> None:
    if count > 1:
        options: dict[str, Any] = {"ncols": 2 if count == 4 else count, "handlelength": 2.2}
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, columnspacing=1.4,
            handletextpad=0.6, borderpad=0.1, **options,
        )  # fmt: skip


def _label_rows(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), [_shortened(label) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", labelcolor=COLOURS["ink"], labelsize=12.5)
    axes.spines["left"].set_visible(False)


def _shortened(label: str) -> str:
    # Whatever is in a label, it is one line.
    letters = list(itertools.islice(" ".join(label.split()), _LABEL_LENGTH + 1))
    if len(letters) > _LABEL_LENGTH:
        return "".join(letters[: _LABEL_LENGTH - 1]).rstrip() + "…"
    return "".join(letters)
