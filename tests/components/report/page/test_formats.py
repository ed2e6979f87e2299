"""Numbers in words."""

from __future__ import annotations

import pytest

from components.report.page import formats


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (formats.number, 0.71249, "0.712"),
        (formats.number, -0.5, "−0.500"),
        (formats.number, None, "–"),
        (formats.change, 0.0125, "+0.013"),
        (formats.change, -0.01, "−0.010"),
        (formats.interval, {"low": 0.1, "high": 0.25}, "0.100 to 0.250"),
        (formats.interval, {"low": None, "high": None}, "–"),
        (formats.change_interval, {"low": -0.1, "high": 0.2}, "−0.100 to +0.200"),
        (formats.percent, 0.714, "71\u00a0%"),
        (formats.count, 8189, "8,189"),
        (formats.duration, 0.34, "0.3 s"),
        (formats.duration, 9.96, "10.0 s"),
        (formats.duration, 59.6, "1 min 0 s"),
        (formats.duration, 7620, "2 h 7 min"),
        (formats.moment, "2026-11-26T11:16:51+00:00", "26 November 2026, 11:16 UTC"),
        (formats.moment, "yesterday", "yesterday"),
        (formats.listed, ["a", "b", "c"], "a, b and c"),
        (formats.listed, [], ""),
        (formats.metric_name, "recall_at_10", "recall@10"),
        (formats.metric_name, "map_at_r", "MAP@R"),
        (formats.metric_name, "average_precision_at_5", "AP@5"),
        (formats.metric_name, "mean_reciprocal_rank", "MRR"),
    ],
)
def test_in_words(function, value, text):
    assert function(value) == text


def test_counted():
    assert formats.counted(1, "query", "queries") == "1 query"
    assert formats.counted(6149, "query", "queries") == "6,149 queries"
    assert formats.counted(2, "image") == "2 images"
