"""The README's commands are ones that the command line and the Makefile know.

After a wanted change of a setting, `UPDATE_GOLDEN=1 make test ARGS=tests/test_readme.py` writes the
table of settings anew.
"""

from __future__ import annotations

import os
import pathlib
import re
import shlex

import pytest

from pipeline.cli import _parser
from pipeline.settings_help import markdown
from pipeline.settings_loader import load_settings

ROOT = pathlib.Path(__file__).resolve().parents[1]


def _commands() -> list[str]:
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for kind, block in blocks if not kind for line in block.splitlines()]
    return [line for line in lines if re.match(r"(make|\.venv/bin/flowersim) ", line)]


FLOWERSIM = [command for command in _commands() if "flowersim " in command]
MAKE = [command for command in _commands() if command.startswith("make ")]


def test_there_are_commands_of_each_kind() -> None:
    assert len(FLOWERSIM) >= 8 and len(MAKE) >= 5


@pytest.mark.parametrize("command", FLOWERSIM)
def test_the_command_line_accepts(command: str) -> None:
    words = shlex.split(command.partition(">")[0], comments=True)[1:]
    options = _parser().parse_args(words)
    if hasattr(options, "overrides"):
        replaced = [item.replace("=NAME", "=mnist") for item in options.overrides]
        load_settings(getattr(options, "preset", None) or "demo", replaced)


@pytest.mark.parametrize("command", MAKE)
def test_the_makefile_has(command: str) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    target = command.split()[1]
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_table_of_settings_is_the_current_one() -> None:
    path = ROOT / "README.md"
    table, text = f"{markdown()}\n", path.read_text("utf-8")
    (written,) = re.findall(r"^\| setting \| default \|.*\n(?:\|.*\n)+", text, re.MULTILINE)
    if os.environ.get("UPDATE_GOLDEN") and written != table:
        path.write_text(text.replace(written, table), "utf-8")
        written = table
    assert written.splitlines() == table.splitlines()
