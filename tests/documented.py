"""What the pages of `docs/` show to be typed, run or written: their fenced blocks."""

from __future__ import annotations

import pathlib
import re

DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))


def blocks(page: str, kind: str) -> list[str]:
    """Returns a page's blocks of a kind: `sh`, `python`, `yaml`, or empty for those without one."""
    text = (DOCS / page).read_text("utf-8")
    # Each fence is the beginning or the end of a block: they alternate.
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for name, block in found if name == kind]


def shell_commands(page: str) -> list[str]:
    """Returns the commands of a page: continued lines joined, comments left out."""
    lines = [
        re.sub(r"(^|\s)#.*", "", line).strip()
        for block in blocks(page, "sh")
        for line in re.sub(r"\\\n\s*", "", block).splitlines()
    ]
    return [line for line in lines if line]


def documented(page: str, part: str) -> str:
    """Returns the one command of a page that has this part, as it is to be typed.

    Raises:
        ValueError: There is none, or more than one.
    """
    found = [command for command in shell_commands(page) if part in command]
    if len(found) != 1:
        raise ValueError(f"{page}: {len(found)} commands with {part!r}, and one was expected")
    return found[0]
