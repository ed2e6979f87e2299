"""Charts: drawn as what they are given, safe to inline, and readable without seeing them."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from components.report.page import charts
from components.report.page.charts import Row

WORDS: dict[str, Any] = {"title": "A title", "description": "From 1 to 2."}
CHARTS = {
    "lines": lambda name="a": charts.line_chart(
        {name: [0.1, None, 0.3]}, x_label="epoch", y_label="loss", mark=2, levels={name: 0.2},
        **WORDS,
    ),
    "histogram": lambda name="a": charts.histogram(
        [0, 0.5, 1], {name: [0.4, 0.6], "b": [0.9, 0.1]}, x_label="x", y_label="y",
        line=(0.6, name), **WORDS,
    ),
    "intervals": lambda name="a": charts.interval_chart(
        [Row(name, 0.5, 0.4, 0.6), Row("b", 0.2)], x_label="x", **WORDS
    ),
    "differences": lambda name="a": charts.interval_chart(
        [Row(name, -0.1, -0.2, 0.1)], x_label="x", zero_line=True, **WORDS
    ),
    "bars": lambda name="a": charts.bar_chart(
        [name, "b"], {"c": [1, 2], "d": [2, 1]}, x_label="x", numbers=["3", "3"], **WORDS
    ),
    "columns": lambda name="a": charts.column_chart(
        {name: [3, 2, 1]}, x_label="x", y_label="y", **WORDS
    ),
}  # fmt: skip


@pytest.fixture(params=CHARTS, ids=str)
def chart(request):
    return CHARTS[request.param]


def test_is_an_image_with_an_alternative(chart):
    root = ElementTree.fromstring(chart())
    assert root.tag == "svg" and root.get("role") == "img"
    assert root.get("aria-label") == "A title. From 1 to 2."
    width, height = map(float, root.get("viewBox", "").split()[2:])
    assert width == charts.WIDTH and 50 < height < 400


def test_is_deterministic(chart):
    assert chart() == chart()


def test_has_no_colour_font_or_address_of_its_own(chart):
    text = chart()
    assert "http" not in text and "font-family" not in text and "<!--" not in text
    assert not re.search(r"#[0-9a-fA-F]{6}(?![\w-])", text)
    for what in ("fill", "stroke"):
        found = re.findall(rf"[^-]{what}: ([^;\"]*)", text)
        assert found and all(value.startswith(("var(", "none", "url(")) for value in found)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "$x^2$ $", "a\nb", "&amp;", "名前"])
def test_names_are_text(chart, name):
    root = ElementTree.fromstring(chart(name))
    assert not root.findall(".//script")


def test_labels_are_what_was_given_and_short():
    text = ["".join(found.itertext()) for found in _texts(CHARTS["intervals"]("$x$ & <b>"))]
    assert "$x$ & <b>" in text
    text = ["".join(found.itertext()) for found in _texts(CHARTS["intervals"]("word " * 30))]
    assert any(label.startswith("word word") and label.endswith("…") for label in text)


def _texts(svg):
    return ElementTree.fromstring(svg).findall(".//text")


def test_intervals_lie_where_their_numbers_say():
    svg = charts.interval_chart(
        [Row("a", 0.25, 0.0, 0.5), Row("b", 0.75, 0.5, 1.0)], x_label="x", limits=(0, 1), **WORDS
    )
    lines = re.findall(r'd="M ([\d.]+) ([\d.]+) L ([\d.]+) ([\d.]+)"[^>]*stroke-width: 3', svg)
    (left, y, right, _), (left2, y2, right2, _) = (tuple(map(float, line)) for line in lines)
    assert right == left2 and right - left == pytest.approx(right2 - left2)
    assert y < y2
    dots = [float(x) for x in re.findall(r'<use [^>]*x="([\d.]+)"', svg)]
    assert dots == pytest.approx([(left + right) / 2, (left2 + right2) / 2], abs=0.1)


def test_a_difference_that_may_be_chance_looks_different():
    def marks(low: float) -> str:
        return charts.interval_chart(
            [Row("a", 0.1, low, 0.2)], x_label="x", zero_line=True, **WORDS
        )

    assert "stroke: var(--series-2)" in marks(0.05)
    assert "stroke: var(--series-2)" not in marks(-0.05)
    assert "+0.100" in marks(0.05)


def test_nothing_to_draw_is_no_error():
    assert charts.interval_chart([], x_label="x", **WORDS)
    assert charts.bar_chart([], {"a": []}, x_label="x", **WORDS)
    assert charts.column_chart({"a": [0]}, x_label="x", y_label="y", **WORDS)
