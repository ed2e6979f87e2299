"""What the page is made of: parts, headings, charts with alternatives and tables."""

from __future__ import annotations

import re

from components.report.page.template_environment import FOLDER
from tests.components.report.page import sample
from tests.components.report.page.parsed import Element

SECTIONS = [
    "card", "changes", "training", "retrieval", "classes", "map", "scores", "data", "lineage",
    "settings", "environment",
]  # fmt: skip


def test_has_its_sections_and_links_to_them(page):
    assert [part.attributes["id"] for part in page.all("section", class_="part")] == SECTIONS
    links = page.one("nav").all("a")
    assert [link.attributes["href"] for link in links] == [f"#{name}" for name in SECTIONS]


def test_every_style_is_in_the_page_once(page):
    style = page.one("style").text
    parts = [file.read_text("utf-8") for file in (FOLDER / "styles").iterdir()]
    assert len(parts) > 5
    assert [style.count(" ".join(part.split())) for part in parts] == [1] * len(parts)


def test_landmarks_and_language(page):
    assert page.one("html").attributes["lang"] == "en"
    assert page.one("main").attributes["id"] == "content"
    assert page.one("a", class_="skip").attributes["href"] == "#content"
    assert page.one("header") and page.one("footer") and page.one("nav")


def test_headings_are_in_order(page):
    levels = [int(found.tag[1]) for found in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


def test_ids_are_given_once_and_references_lead_somewhere(page):
    ids = [found.attributes["id"] for found in page.all() if "id" in found.attributes]
    assert len(ids) == len(set(ids))
    for found in page.all():
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert found.attributes.get(name, ids[0]) in ids
        if found.attributes.get("href", "").startswith("#"):
            assert found.attributes["href"][1:] in ids
        for value in found.attributes.values():
            assert set(re.findall(r"url\(#([\w-]+)\)", value)) <= set(ids)


def test_every_chart_has_a_title_an_alternative_with_numbers_and_a_table(page):
    figures = page.all("figure")
    assert len(figures) >= 10
    for figure in figures:
        assert figure.one("h3").text and figure.one("p", class_="how").text
        chart = figure.one("svg")
        assert chart.attributes["role"] == "img"
        assert len(re.findall(r"\d", chart.attributes["aria-label"])) >= 3
        assert figure.one("details").all("tr")[1:], "a table without rows"
    # The map is no figure, and has all of these as well.
    picture = page.one("svg", id="map-picture")
    assert "320 images of 16 classes" in picture.attributes["aria-label"]
    assert "160 queries" in picture.attributes["aria-label"]
    assert len(page.one(id="map").one("table").all("tr")) == 17


def test_charts_take_their_colours_from_the_page(page_text):
    charts = re.findall(r'<svg class="chart".*?</svg>', page_text, re.DOTALL)
    assert charts
    for chart in charts:
        assert "var(--" in chart
        assert not re.search(r"#[0-9a-f]{6}\b(?!-)", re.sub(r'aria-label="[^"]*"', "", chart))


def test_right_and_wrong_differ_in_more_than_colour(page):
    sheet = page.one(id="retrieval")
    for kind, symbol in (("right", "✓"), ("wrong", "✗")):
        photos = sheet.all("span", class_=kind)
        photos = [photo for photo in photos if "photo" in photo.attributes["class"]]
        assert photos
        assert all(symbol in photo.one("b").text for photo in photos)
        assert all(kind in photo.one("b").text for photo in photos)
    assert len(sheet.all("li", class_="sheet-row")) == 24


def test_every_picture_has_an_alternative(page):
    for image in page.all("img"):
        assert image.attributes["src"].startswith("data:image/webp;base64,")
        assert image.attributes["alt"] or "hidden" in image.attributes


def test_confusions_show_both_classes(page):
    first = page.one("ul", class_="confusions").all("li")[0]
    assert "7 of 10 queries (70 %); 3 the other way round" in first.text
    assert "confused, in both directions, with" in first.text
    assert len(first.all("img")) == 6


def test_changed_settings_come_first(page):
    tables = page.one(id="settings").all("table")
    changed = [row.one("th").text for row in tables[0].all("tr")[1:]]
    assert changed == [
        item["key"] for item in sample.context()["settings"] if item["changed"]
    ]  # fmt: skip
    assert len(tables[1].all("tr")) - 1 == len(sample.context()["settings"]) - len(changed)


def test_artifacts_say_when_they_were_made(page):
    (table,) = [found for found in page.all("table") if _caption(found) == "Artifacts"]
    row = table.all("tr")[1]
    assert row.one("th").text == "Trainer › model"
    assert [cell.text for cell in row.all("td")] == [
        "Model", "8", "26 November 2026, 11:19 UTC", "runs/demo/pipeline_root/Trainer/model/8",
        "kept_epoch = 5",
    ]  # fmt: skip


def test_class_table_has_every_class_with_its_interval(page):
    tables = [
        table
        for table in page.one(id="classes").all("table")
        if _caption(table) == "All classes, the worst first"
    ]
    rows = tables[0].all("tr")[1:]
    expected = sample.content()["per_class"]
    assert [row.one("th").text for row in rows] == [
        " ".join(found["name"].split()) for found in expected
    ]
    assert [row.all("td")[2].text for row in rows] == [
        f"{found['low']:.2f} to {found['high']:.2f}" for found in expected
    ]


def _caption(table: Element) -> str:
    return table.one("caption").text


def test_is_deterministic(page_text):
    from components.report.page.render import render

    content = sample.content()
    assert render(content, sample.pictures(content), sample.context()) == page_text
