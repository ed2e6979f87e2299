"""Names and ids are anybody's: none becomes a tag, an attribute or a script; nothing is loaded."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from typing import Any

from components.report.page.render import render
from tests.components.report.page import sample
from tests.components.report.page.parsed import parse

EVIL = [sample.HOSTILE, sample.HOSTILE_TOO, "--><!--", "{{ 7 * 7 }}", "\u2028'\"`", "]]>"]


def _poisoned(found: Any, seed: list[int]) -> Any:
    """The same, with every text that comes from outside made hostile."""
    if isinstance(found, dict):
        kept = {"picture", "original_picture", "sprite", "status", "started", "key", "subject"}
        return {
            key: value if key in kept or "pictures" in key else _poisoned(value, seed)
            for key, value in found.items()
        }
    if isinstance(found, list):
        return [_poisoned(value, seed) for value in found]
    if isinstance(found, str):
        seed[0] += 1
        return EVIL[seed[0] % len(EVIL)] + found
    return found


def _tags(text: str) -> set[tuple[str, tuple[str, ...]]]:
    return {(found.tag, tuple(sorted(found.attributes))) for found in parse(text).all()}


def test_hostile_text_adds_no_tag_and_no_attribute(page_text):
    content = sample.content()
    pictures = sample.pictures(content)
    evil = _poisoned(copy.deepcopy(content), [0])
    evil["evaluations"] = content["evaluations"]
    evil["splits"] = content["splits"]
    evil["classes"] = sorted(EVIL + content["classes"][len(EVIL) :])
    text = render(evil, pictures, _poisoned(sample.context(), [0]))
    assert _tags(text) == _tags(page_text)
    assert text.count("<script") == page_text.count("<script")
    assert len(parse(text).all("script")) == 2
    for name in evil["classes"]:
        assert " ".join(name.split()) in parse(text).text


def test_the_data_of_the_script_is_read_as_it_was_written(page):
    (data,) = [found for found in page.all("script") if found.attributes]
    assert data.attributes["type"] == "application/json"
    assert "<" not in data.text and "&" not in data.text
    found = json.loads(data.text)
    assert found["names"] == sample.content()["classes"]
    assert sample.HOSTILE in found["names"]
    assert found["ids"] == sample.content()["map"]["ids"]


def test_nothing_is_loaded_from_anywhere(page, page_text):
    for found in page.all():
        assert found.tag not in ("iframe", "object", "embed", "audio", "video", "base")
        for name in ("src", "href", "srcset", "data", "action", "poster", "ping"):
            value = found.attributes.get(name, "")
            assert value == "" or value.startswith(("#", "data:"))
        assert not [name for name in found.attributes if name.startswith("on")]
    style = page.one("style").text
    assert "@import" not in style and "url(" not in style
    assert "@font-face" not in style
    assert not re.findall(r"https?://", page_text)


def test_the_policy_allows_just_this_script(page, page_text):
    policy = next(
        found.attributes["content"]
        for found in page.all("meta")
        if found.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    script = re.findall(r"<script>(.*?)</script>", page_text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script[-1].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest}'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2]
