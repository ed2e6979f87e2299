"""Every command of flowersim that the documentation shows is one that its parser takes."""

from __future__ import annotations

import argparse
import contextlib
import io
import pathlib
import re
import shlex
from collections.abc import Iterator

import pytest

from pipeline import cli
from pipeline.settings_loader import load_settings

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


def _lines(page: pathlib.Path) -> Iterator[str]:
    """Lines of shell blocks, with continued ones joined and comments left out."""
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip():
                yield line.strip()


def _commands(page: pathlib.Path) -> list[list[str]]:
    """Arguments of the calls of flowersim."""
    found = []
    for line in _lines(page):
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words.pop(0)  # environment variables
        if words and pathlib.PurePath(words[0]).name == "flowersim":
            ends = [index for index, word in enumerate(words) if word in ("|", ">", "&", "&&")]
            found.append(words[1 : min(ends, default=len(words))])
    return found


CASES = [
    pytest.param(words, id=f"{page.name}: {' '.join(words)[:70]}")
    for page in PAGES
    for words in _commands(page)
]


def test_there_are_commands_to_look_at():
    assert len(CASES) > 25
    assert len(_commands(ROOT / "docs" / "deploy.md")) > 15


@pytest.mark.parametrize("words", CASES)
def test_the_parser_takes_it(words: list[str]):
    message = io.StringIO()
    try:
        with contextlib.redirect_stderr(message):
            options = cli._parser().parse_args(words)
    except SystemExit:
        pytest.fail(message.getvalue())
    _check_settings(options)


def _check_settings(options: argparse.Namespace) -> None:
    """Settings must exist and have values that are allowed; placeholders are in capitals."""
    overrides = getattr(options, "overrides", None)
    if overrides:
        # Together, since some need each other; the preset's own values fill the rest.
        platform = getattr(options, "platform", None)
        chosen = [f"deployment.platform={platform}"] if platform else []
        load_settings("demo", [*chosen, *overrides])
