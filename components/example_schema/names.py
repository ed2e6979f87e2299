"""What ids and names of classes may be: any text on one line.

They are printed, listed one in a line and written into tables. Nobody makes paths of them, so dots
and slashes are as good as any other character.
"""

from __future__ import annotations

import unicodedata


def has_control_characters(text: str) -> bool:
    """Whether a terminal or a table would take a part of a name for something else."""
    return any(unicodedata.category(character) == "Cc" for character in text)
