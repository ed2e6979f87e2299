"""Cron expressions: which are taken, and what is said of the others."""

from __future__ import annotations

import pytest

from pipeline.submission.cron import check_cron, check_time_zone
from pipeline.submission.errors import SubmissionError


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "0 3 * * 1",
        "*/15 0-6,22 1,15 JAN-mar/2 mon-FRI",
        "5/10 23 29 2 *",
        # Either day is enough, so it does come.
        "0 0 31 2 0",
        "59 23 31 12 6",
    ],
)
def test_taken(text: str):
    assert check_cron(text) == text
    assert check_cron(f"  {text.replace(' ', '   ')} ") == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has 0 fields"),
        ("0 0 3 * * 1", "has 6 fields"),
        ("@daily", "has 1 fields"),
        ("60 * * * *", "60 is no minute"),
        ("* 24 * * *", "24 is no hour"),
        ("* * 0 * *", "0 is no day of the month"),
        ("* * * 13 *", "13 is no month"),
        ("* * * * 7", "7 is no day of the week: that is a number from 0 to 6 or SUN"),
        ("* * * JUNE *", "JUNE is no month"),
        ("5-1 * * * *", "5-1 is no minute"),
        ("*/0 * * * *", "*/0 is no minute"),
        ("1,,2 * * * *", " is no minute"),
        ("-1 * * * *", "-1 is no minute"),
        ("? * * * *", "? is no minute"),
        ("1-2-3 * * * *", "1-2-3 is no minute"),
        ("0 0 30,31 2 *", "never comes"),
        ("0 0 31 4,6,9,11 *", "never comes"),
    ],
)
def test_refused(text: str, message: str):
    with pytest.raises(SubmissionError) as caught:
        check_cron(text)
    assert message in str(caught.value)


def test_time_zones():
    assert check_time_zone("Europe/Berlin") == "Europe/Berlin"
    for name in ("Europe/Nowhere", "../etc/passwd", "Europe"):
        with pytest.raises(SubmissionError, match="is no time zone"):
            check_time_zone(name)
