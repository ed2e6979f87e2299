r"""What a person reads in a terminal: names from data and servers show, and do not steer it.

A terminal takes some characters as commands: to colour, to overwrite what was printed, to set its
title. Names of photos and classes are whatever somebody called them, so such characters are printed
as they are written in Python, `\x1b`. Not for output that programs read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

# Control characters but for tab and line feed, those that reverse the order of what follows, and
# halves of characters, which cannot be written at all.
_STEERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_BREAKING = re.compile("[\t\n\u2028\u2029]")


def printable(text: str) -> str:
    r"""Returns the text with what would steer a terminal written out.

    >>> print(printable("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    return _STEERING.sub(_written_out, text)


def one_line(text: str) -> str:
    r"""Returns it without tabs and ends of lines as well, for a cell of a table.

    >>> print(one_line("a\tb\nc"))
    a\tb\nc
    """
    return _BREAKING.sub(_written_out, printable(text))


def _written_out(match: re.Match[str]) -> str:
    return ascii(match[0])[1:-1]


def terminal(**options: Any) -> Console:
    """A console that prints texts with `printable`; what is given as rich's own objects is not.

    Args:
        **options: Of rich's Console.
    """
    from rich.console import Console
    from rich.text import Text

    class Terminal(Console):
        """A console that no text steers."""

        def render_str(self, text: str, **how: Any) -> Text:
            return super().render_str(printable(text), **how)

    # Of `:rose:` rich would make a picture.
    return Terminal(highlight=False, emoji=False, **options)
