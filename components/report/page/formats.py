"""Numbers, times and lists in words, the same on the whole page. What is not known is a dash."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

UNKNOWN = "–"
PER_CENT = "\u00a0%"  # which no line begins with
_MINUS = "−"


def number(value: float | None, digits: int = 3) -> str:
    """0.712; a minus is one."""
    if value is None:
        return UNKNOWN
    return f"{value:.{digits}f}".replace("-", _MINUS)


def change(value: float | None, digits: int = 3) -> str:
    """+0.012: with its sign."""
    if value is None:
        return UNKNOWN
    return f"{value:+.{digits}f}".replace("-", _MINUS)


def interval(found: Mapping[str, Any] | None, digits: int = 3) -> str:
    """0.648 to 0.777, of `low` and `high`."""
    if not found or found.get("low") is None or found.get("high") is None:
        return UNKNOWN
    return f"{number(found['low'], digits)} to {number(found['high'], digits)}"


def change_interval(found: Mapping[str, Any] | None, digits: int = 3) -> str:
    """−0.010 to +0.034, of `low` and `high`."""
    if not found or found.get("low") is None or found.get("high") is None:
        return UNKNOWN
    return f"{change(found['low'], digits)} to {change(found['high'], digits)}"


def percent(value: float | None, digits: int = 0) -> str:
    """71 %."""
    if value is None:
        return UNKNOWN
    return f"{100 * value:.{digits}f}{PER_CENT}".replace("-", _MINUS)


def count(value: float | None) -> str:
    """8,189."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def counted(value: int, singular: str, plural: str | None = None) -> str:
    """1 query, 2 queries."""
    return f"{count(value)} {singular if value == 1 else plural or singular + 's'}"


def duration(seconds: float | None) -> str:
    """0.3 s, 42 s, 4 min 5 s, 2 h 7 min."""
    if seconds is None:
        return UNKNOWN
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(text: str | None) -> str:
    """26 November 2026, 11:16 UTC, of a time in ISO 8601; what is no such time, as it is."""
    if not text:
        return UNKNOWN
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{time.day} {time:%B %Y, %H:%M}" + (f" {time.tzname()}" if time.tzinfo else "")


def listed(words: Sequence[str]) -> str:
    """A, B and C."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def metric_name(key: str) -> str:
    """recall@1, MAP@R: a metric's name as the field writes it."""
    known = {
        "map_at_r": "MAP@R",
        "r_precision": "R-precision",
        "mean_average_precision": "mAP",
        "mean_reciprocal_rank": "MRR",
    }
    if key in known:
        return known[key]
    head, found, k = key.rpartition("_at_")
    if not found:
        return key.replace("_", " ")
    names = {"ndcg": "NDCG", "average_precision": "AP"}
    return f"{names.get(head, head.replace('_', ' '))}@{k}"


FILTERS = {
    "number": number,
    "change": change,
    "interval": interval,
    "change_interval": change_interval,
    "percent": percent,
    "thousands": count,
    "counted": counted,
    "duration": duration,
    "moment": moment,
    "listed": listed,
    "metric_name": metric_name,
}
