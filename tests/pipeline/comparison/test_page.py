"""The page: what it says, that it needs nothing else, and that anybody can read it."""

from __future__ import annotations

import datetime
import html.parser
import pathlib
import re
from typing import Any

import pytest

from pipeline.comparison.compare import Comparison
from pipeline.comparison.page import render
from tests.browser import browser as browser  # a fixture

MADE = datetime.datetime(2026, 1, 3, 12, 30, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def page(three_compared: Comparison) -> str:
    return render(three_compared, made=MADE)


class _Reader(html.parser.HTMLParser):
    """Texts, tables and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self._cell: list[str] | None = None
        self._ignored = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._ignored += tag in ("style", "script")
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        self._ignored -= tag in ("style", "script")
        if tag in ("td", "th") and self._cell is not None:
            self.tables[-1][-1].append("".join(self._cell).strip())
            self._cell = None

    def handle_data(self, data: str) -> None:
        if not self._ignored:
            self.texts.append(data)
        if self._cell is not None:
            self._cell.append(data)


@pytest.fixture(scope="module")
def read(page: str) -> _Reader:
    return _Reader(page)


def _table(read: _Reader, *header: str) -> list[list[str]]:
    return next(rows for rows in read.tables if rows[0][: len(header)] == list(header))


def test_numbers_are_those_of_the_comparison(read: _Reader, three_compared: Comparison) -> None:
    (validation, test) = three_compared.content["splits"]
    tables = [rows for rows in read.tables if rows[0][:3] == ["metric", "A", "B"]]
    assert len(tables) == 2
    for split, rows in zip((validation, test), tables, strict=True):
        row = next(row for row in rows if row[0] == "recall@1")
        values, found = split["metrics"]["recall_at_1"], split["changes"][0]["metrics"]
        assert row[1:3] == [f"{values[0]:.4f}", f"{values[1]:.4f}"]
        assert row[3].replace("−", "-") == f"{found['recall_at_1']['value']:+.4f}"
    hits = _table(read, "queries", "in A and it")
    counts = test["changes"][1]["recall_at_1"]
    assert hits[4][:5] == [
        "test, C", str(counts["both"]), str(counts["only_reference"]), str(counts["only_other"]),
        str(counts["neither"]),
    ]  # fmt: skip


def test_settings_runs_and_code_are_there(read: _Reader) -> None:
    settings = {row[0]: row[1:4] for row in _table(read, "setting")}
    assert settings["training.epochs"][1] == "5"
    assert settings["run.beam_args"][1] == "--a=<i>&amp;"
    assert settings["evaluation.gallery_splits"] == ["none", "none", "train"]
    runs = {row[0]: row[1:] for row in _table(read, "property")}
    assert runs["pushed"] == ["pushed as version 7", "not blessed", "not judged"]
    assert runs["blessed"] == ["yes", "no", "not judged"]
    assert runs["started"] == ["–", "2 January 2026, 07:00 UTC", "–"]
    assert runs["images"][0] == "12 train, 24 validation, 28 test"
    steps = {row[0]: row[1:] for row in _table(read, "component")}
    assert steps["Trainer"] == ["12 s", "12 s", "12 s", "differs"]
    assert steps["ImageEmbedder"] == ["cached", "cached", "cached", "the same"]


def test_cautions_and_notes_are_read_first(page: str) -> None:
    first_section = page.index("<section")
    for text in ("under different protocols", "not corrected for multiple comparisons"):
        assert page.index(text) < first_section


def test_names_are_not_taken_for_markup(page: str, read: _Reader) -> None:
    assert "rose <b>" not in page and "rose &lt;b&gt;&amp;amp;" in page
    assert any("rose <b>&amp;" in text for text in read.texts)
    assert not [found for found in read.attributes if found[1].startswith("on")]


def test_nothing_is_loaded_from_elsewhere(page: str, read: _Reader) -> None:
    links = [value for _, name, value in read.attributes if name in ("src", "href", "xlink:href")]
    assert links and all(value.startswith(("data:", "#")) for value in links)
    assert not re.search(r"url\((?!#|['\"]?#)", page) and "@import" not in page
    policy = next(value for _, name, value in read.attributes if name == "content")
    assert "default-src 'none'" in policy


def test_the_stylesheet_is_not_escaped(page: str) -> None:
    style = page[page.index("<style>") : page.index("</style>")]
    assert ".moved-row > .photo" in style and "&gt;" not in style


def test_the_same_comparison_gives_the_same_page(page: str, three_compared: Comparison) -> None:
    assert render(three_compared, made=MADE) == page


def test_a_run_that_changed_nothing_has_a_page_too(two_compared: Comparison) -> None:
    content = dict(two_compared.content)
    content["settings"] = []
    content["queries"] = [
        {"run": "B", "better": 0, "worse": 0, "same": 28, "most_better": [], "most_worse": []}
    ]
    still = {"value": 0.0, "low": None, "high": None}
    content["splits"] = [
        {
            **split,
            "changes": [
                {
                    **split["changes"][0],
                    "metrics": dict.fromkeys(split["metrics"], still),
                    "classes": [
                        {**found, "change": dict.fromkeys(found["change"], still)}
                        for found in split["changes"][0]["classes"]
                    ],
                }
            ],
        }
        for split in content["splits"]
    ]
    text = " ".join(_Reader(render(Comparison(content, {}), made=MADE)).texts)
    assert "No class changed." in text and "All settings are the same." in text
    assert "the same" in text and "None." in text


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1280, "light"),
        (390, "dark"),
        pytest.param(1280, "dark", marks=pytest.mark.extended),
        pytest.param(390, "light", marks=pytest.mark.extended),
    ],
)
def test_anybody_can_read_it(
    browser: Any, page: str, tmp_path: pathlib.Path, scheme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe").Axe()
    path = tmp_path / "comparison.html"
    path.write_text(page, "utf-8")
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, bypass_csp=True
    )
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    opened = context.new_page()
    opened.on("console", lambda message: errors.append(message.text))
    opened.goto(path.as_uri())
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.run(opened)
    assert found.violations_count == 0, found.generate_report()
    broken = opened.evaluate(
        """async () => {
          const images = [...document.images];
          for (const image of images) image.loading = "eager";
          await Promise.all(images.map((image) => image.decode()));
          return images.filter((image) => !image.naturalWidth || !image.alt).length;
        }"""
    )
    assert broken == 0
    assert not errors
    context.close()
