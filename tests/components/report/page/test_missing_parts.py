"""A run that ended early still has a page, which says what is missing."""

from __future__ import annotations

import html
from typing import Any

import pytest

from components.report.page import charts
from components.report.page.render import render
from tests.components.report.page import sample
from tests.components.report.page.parsed import parse


@pytest.fixture(autouse=True)
def no_drawing(monkeypatch):
    """Charts have tests of their own, and here there would be hundreds."""

    def draw(paint, *, title, description, **size):
        return f'<svg role="img" aria-label="{html.escape(title)}"></svg>'

    monkeypatch.setattr(charts, "draw", draw)


def test_nothing_at_all_is_still_a_page():
    page = parse(render({}, {}, {}))
    assert "The model of this run was not evaluated" in page.one("h1").text
    assert [link.text for link in page.one("nav").all("a")] == [
        "Model card", "Training", "Queries", "Classes", "Data",
    ]  # fmt: skip
    assert "No training curves: the run trained nothing." in page.one(id="training").text


def test_a_failed_run_says_what_it_did_not_come_to():
    content: dict[str, Any] = {**dict.fromkeys(sample.content()), "version": 1, "evaluations": {}}
    content["data"], content["splits"] = sample.content()["data"], sample.content()["splits"]
    content["classes"] = sample.content()["classes"]
    context = sample.context() | {"pushed_model": None}
    context["run"] |= {"status": "failed", "error": "Trainer: out of memory"}
    page = parse(render(content, sample.pictures(sample.content()), context))
    assert page.one("p", class_="chip").text == "✗ Failed"
    assert "Trainer: out of memory." in page.one("section", class_="verdict").text
    for section in ("training", "retrieval", "classes"):
        assert ": the run failed before it came to this." in page.one(id=section).text
    assert "Nothing was measured of this model." in page.one(id="card").text
    assert page.one(id="data").all("figure")
    assert not page.all(id="map") and not page.all(id="scores")
    assert "map-data" not in render(content, {}, context)


@pytest.mark.parametrize("key", sorted(sample.content()))
def test_any_part_can_be_missing(key):
    content = sample.content()
    page = parse(render(content | {key: None}, {}, sample.context()))
    assert page.one("h1").text
    del content[key]
    assert parse(render(content, {}, {})).one("h1").text


@pytest.mark.parametrize("key", sorted(sample.context()))
def test_any_part_of_the_context_can_be_missing(key):
    context = sample.context()
    del context[key]
    assert parse(render(sample.content(), {}, context)).one("h1").text


def test_pictures_that_are_not_there_are_said_to_be():
    page = parse(render(sample.content(), {}, sample.context()))
    assert not page.all("img")
    assert page.all("span", class_="gone")[0].attributes["aria-label"].startswith("Query test/")


def test_a_sample_of_the_map_says_so():
    content = sample.content()
    content["map"]["of"] = 8189
    assert "320 of 8,189 images" in parse(render(content, {}, {})).one(id="map").text


def test_near_duplicates_that_are_left_out_are_said_to_be():
    content = sample.content()
    content["data"]["near_duplicates"]["left_out"] = True
    assert (
        "They take no part in the evaluation." in parse(render(content, {}, {})).one(id="data").text
    )


def test_a_split_that_was_not_embedded_has_no_classes_to_count():
    content = sample.content()
    for row in content["data"]["class_counts"]:
        row[2] = None
    data = parse(render(content, {}, {})).one(id="data")
    header = [cell.text for cell in data.all("th")]
    assert "train" in header and "test" not in header
    for row in content["data"]["class_counts"]:
        row[:] = [None, None, None]
    assert not parse(render(content, {}, {})).one(id="data").all("figure")
