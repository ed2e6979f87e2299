"""What ids and names of classes may be: any text on one line.

They are printed, listed one in a line and written into tables. Nobody makes paths of them, so dots
and slashes are as good as any other character.
"""

from __future__ import annotations

import unicodedata

_CONTROLS = frozenset(("Cc", "Cs", "Zl", "Zp"))
# What reverses the order of the characters that follow.
_REVERSING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def has_control_characters(text: str) -> bool:
    """Whether a terminal or a table would take a part of a name for something else.

    That are Unicode's control characters, its separators of lines and paragraphs, halves of
    characters, and those that change the direction of writing.
    """
    return any(
        unicodedata.category(character) in _CONTROLS or character in _REVERSING
        for character in text
    )
