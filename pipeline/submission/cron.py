"""Checks cron expressions before anything is called; the platforms carry them out."""

from __future__ import annotations

import calendar
import re
import zoneinfo

from pipeline.submission.errors import SubmissionError

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if number}
_DAYS = {
    name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))
}
# Name, lowest and highest number, names of numbers.
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_PART = re.compile(r"(\*|\w+(?:-\w+)?)(?:/(\d+))?")
# February 29th counts: it comes every fourth year.
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def check_cron(text: str) -> str:
    """Checks a cron expression of five fields.

    Args:
        text: Minute, hour, day of the month, month, day of the week (0 is Sunday): numbers, names,
            `*`, ranges, steps and lists of these.

    Returns:
        The same with single blanks.

    Raises:
        SubmissionError: It is none, or no day ever fits; says which field is wrong.
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise SubmissionError(
            f"cron {text!r} has {len(fields)} fields, and needs 5: minute, hour, day of the month, "
            "month, day of the week; for instance '0 3 * * 1' is Mondays at 3:00"
        )
    _, _, days, months, _ = (
        _values(field, *about) for field, about in zip(fields, _FIELDS, strict=True)
    )
    # With a day of the week beside it, either of them is enough.
    by_month = fields[4] == "*"
    if by_month and not any(day <= _LONGEST[month - 1] for day in days for month in months):
        raise SubmissionError(f"cron {text!r} never comes: no such month has such a day")
    return " ".join(fields)


def check_time_zone(name: str) -> str:
    """Checks a time zone's name.

    Raises:
        SubmissionError: It is in no list of IANA's that this machine has.
    """
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SubmissionError(
            f"{name} is no time zone; they are called as IANA calls them, for instance "
            "Europe/Berlin or UTC"
        ) from error
    return name


def _values(field: str, name: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    """All numbers that a field stands for."""
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if not match:
            raise _wrong(part, name, low, high, names)
        span, step = match.group(1), int(match.group(2) or 1)
        if span == "*":
            first, last = low, high
        else:
            ends = [_number(word, names) for word in span.split("-")]
            # A single number with a step goes on to the end: 5/15 is 5-59/15.
            first, last = ends[0], (high if match.group(2) and len(ends) == 1 else ends[-1])
        if not low <= first <= last <= high or step < 1:
            raise _wrong(part, name, low, high, names)
        found.update(range(first, last + 1, step))
    return found


def _number(word: str, names: dict[str, int]) -> int:
    """The number of a word, -1 if it has none."""
    return int(word) if word.isdecimal() else names.get(word.upper(), -1)


def _wrong(part: str, name: str, low: int, high: int, names: dict[str, int]) -> SubmissionError:
    also = f" or {', '.join(names)}" if names else ""
    return SubmissionError(
        f"cron: {part} is no {name}: that is a number from {low} to {high}{also}, a range A-B, "
        "either with a step /N, or *"
    )
