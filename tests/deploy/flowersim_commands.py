"""Finds commands of flowersim in scripts, and says what the program itself thinks of them."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator


def commands(script: str) -> Iterator[list[str]]:
    """Yields the arguments of each call of flowersim in a shell script; variables stay as they are.

    A call is a line, with those that it is continued on, that begins with the program.
    """
    for line in re.sub(r"\\\n\s*", " ", script).splitlines():
        match = re.match(r"\s*(?:\S*/)?(?:flowersim|\"\$flowersim\")\s+(.+)", line)
        if match:
            yield shlex.split(match[1])


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parses a command as the program does.

    Raises:
        SystemExit: It is refused.
    """
    from pipeline.cli import _parser

    return _parser().parse_args(arguments)
