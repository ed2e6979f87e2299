"""How values of a comparison are said, in the terminal and on the page alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def verdict(change: Mapping[str, Any]) -> str:
    """`better` or `worse` where the interval of a change does not hold 0, else nothing.

    >>> verdict({"value": 0.2, "low": 0.1, "high": 0.3}), verdict({"low": 0.0, "high": 0.3})
    ('better', '')
    """
    low, high = change["low"], change["high"]
    if low is None or high is None:
        return ""
    return "better" if low > 0 else "worse" if high < 0 else ""


def in_words(value: Any) -> str:
    """The value of a setting as a person would write it.

    >>> in_words(None), in_words(True), in_words([1, 5]), in_words([]), in_words(0.001)
    ('null', 'true', '1, 5', 'none', '0.001')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(in_words, value)) or "none"
    return str(value)


def p_value_in_words(value: float) -> str:
    """A p-value, with two digits where they can mean something.

    >>> p_value_in_words(0.3915), p_value_in_words(1.0), p_value_in_words(8e-58)
    ('p = 0.39', 'p = 1', 'p < 0.0001')
    """
    return f"p = {value:.2g}" if value >= 1e-4 else "p < 0.0001"


def rank_in_words(rank: int) -> str:
    """A rank as an ordinal: 1st, 2nd, 3rd, 4th.

    >>> [rank_in_words(rank) for rank in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '102nd', '111th']
    """
    ending = {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}th" if rank % 100 in (11, 12, 13) else f"{rank}{ending}"


def pushed(run: Mapping[str, Any]) -> str:
    """What became of a run's model, in words."""
    if run["pushed_model"]:
        return f"pushed as version {str(run['pushed_model']).rstrip('/').rpartition('/')[2]}"
    blessed = {True: "blessed, not pushed", False: "not blessed", None: "not judged"}
    return blessed[run["blessed"]]
