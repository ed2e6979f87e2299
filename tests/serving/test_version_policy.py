"""The three policies, compared with their definitions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.version_policy import VersionPolicy

VERSIONS = st.sets(st.integers(0, 2**63 - 1), max_size=8)


@given(VERSIONS, st.integers(1, 9))
def test_latest_is_the_newest_few(available, count):
    policy = VersionPolicy("latest", count)
    candidates = policy.candidates(available)
    assert candidates == sorted(available, reverse=True)  # the older ones stand in for broken ones
    assert [policy.is_enough(n) for n in (count - 1, count, count + 1)] == [False, True, True]


@given(VERSIONS)
def test_all_is_all(available):
    policy = VersionPolicy("all")
    assert policy.candidates(available) == sorted(available, reverse=True)
    assert not policy.is_enough(len(available))


@given(VERSIONS, VERSIONS.filter(bool))
def test_specific_is_what_is_listed_and_there(available, listed):
    policy = VersionPolicy("specific", versions=frozenset(listed))
    assert policy.candidates(available) == sorted(available & listed, reverse=True)
    assert not policy.is_enough(len(listed))


def test_the_default_is_the_newest_alone():
    assert VersionPolicy() == VersionPolicy("latest", 1)


def test_policies_that_want_nothing():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        VersionPolicy("latest", 0)
    with pytest.raises(ValueError, match="lists no versions"):
        VersionPolicy("specific")
