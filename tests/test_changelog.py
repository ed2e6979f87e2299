"""CHANGELOG.md has the form that it names, and its newest version is the one that is released."""

from __future__ import annotations

import datetime
import pathlib
import re

from packaging.version import Version

from pipeline.cli import _parser

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CHANGELOG.md").read_text("utf-8")
GROUPS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Known limits"}


def test_versions_go_down_from_that_of_setup_py() -> None:
    (declared,) = re.findall(r'^    version="(.+)",$', (ROOT / "setup.py").read_text(), re.M)
    headings = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    found = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", one) for one in headings]
    assert found and all(found), headings
    versions = [Version(match[1]) for match in found if match]
    assert str(versions[0]) == declared
    assert versions == sorted(set(versions), reverse=True)
    dates = [datetime.date.fromisoformat(match[2]) for match in found if match]
    assert dates == sorted(dates, reverse=True)


def test_groups_have_the_usual_names_and_say_something() -> None:
    groups = re.findall(r"^### (.*)\n\n((?:.+\n)+)", TEXT, re.MULTILINE)
    assert len(groups) == TEXT.count("\n### ") and {name for name, _ in groups} <= GROUPS
    assert all(body.startswith("- ") for _, body in groups)


def test_it_names_the_commands_that_there_are() -> None:
    (commands,) = (action for action in _parser()._actions if action.metavar == "COMMAND")
    assert commands.choices is not None
    # The first of several is written with the program's name, the others without.
    assert set(re.findall(r"`flowersim (\w+)", TEXT)) <= set(commands.choices)
    assert set(commands.choices) <= set(re.findall(r"`(?:flowersim )?(\w+)`", TEXT))
