"""Dividing traffic: whole per cents that always add up, whatever is asked."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.registry import traffic
from pipeline.vertex_ai.errors import VertexError


@st.composite
def splits(draw: st.DrawFn) -> dict[str, int]:
    """Whole numbers that add up to 100."""
    cuts = sorted(draw(st.lists(st.integers(0, 100), max_size=6)))
    ends = [0, *cuts, 100]
    return {str(index): b - a for index, (a, b) in enumerate(zip(ends, ends[1:], strict=False))}


@given(splits(), st.integers(0, 100))
def test_a_canary_takes_in_proportion(split: dict[str, int], share: int):
    found = traffic.canary(split, "new", share)
    assert sum(found.values()) == 100 and min(found.values()) > 0
    assert found.get("new", 0) == share
    for key, part in split.items():
        assert abs(found.get(key, 0) - part * (100 - share) / 100) < 1


@given(splits(), st.integers(0, 99))
def test_nobody_to_have_the_rest(split: dict[str, int], share: int):
    with pytest.raises(VertexError, match=f"the other {100 - share} %"):
        traffic.canary({"new": 100}, "new", share)
    assert traffic.canary({}, "new", 100) == {"new": 100}


@given(splits(), st.integers(0, 7))
def test_rollback_goes_elsewhere(split: dict[str, int], before: int):
    deployed = [*split, "idle"]
    found = traffic.rollback_target(split, deployed, str(before))
    assert found in deployed and found != traffic.leader(split)
    if str(before) in split and str(before) != traffic.leader(split):
        assert found == str(before)


def test_examples():
    assert doctest.testmod(traffic).failed == 0
