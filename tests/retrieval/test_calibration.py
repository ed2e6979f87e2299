"""The match threshold against a search over every possible threshold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.calibration import precision_threshold

_PAIRS = st.lists(st.tuples(st.sampled_from((-0.5, 0.0, 0.1, 0.5, 0.9)), st.booleans()))


@given(pairs=_PAIRS, target=st.sampled_from((0.01, 0.5, 2 / 3, 0.75, 0.9, 1.0)))
def test_equals_trying_every_threshold(pairs: list[tuple[float, bool]], target: float):
    reaching = [math.inf]
    for threshold in {score for score, _ in pairs}:
        called = [match for score, match in pairs if score >= threshold]
        if sum(called) / len(called) >= target:
            reaching.append(threshold)
    scores = np.array([score for score, _ in pairs])
    matches = np.array([match for _, match in pairs], bool)
    assert precision_threshold(scores, matches, target) == min(reaching)


def test_the_threshold_calls_its_own_pair_a_match_in_float32():
    scores = np.array([0.1, 0.7, 0.3], np.float32)
    threshold = precision_threshold(scores, [False, True, True], 1.0)
    assert (scores >= np.float32(threshold)).tolist() == [False, True, True]


def test_shape_does_not_matter():
    scores = np.array([[0.9, 0.8], [0.7, 0.6]])
    matches = np.array([[True, True], [False, False]])
    assert precision_threshold(scores, matches, 1.0) == 0.8


@pytest.mark.parametrize(
    ("scores", "matches", "target", "message"),
    [
        ([0.1], [True, False], 0.5, "one shape"),
        ([0.1], [1], 0.5, "must be boolean, got int64"),
        ([0.1], [True], 0.0, r"in \(0, 1\], got 0.0"),
        ([0.1], [True], 1.1, "got 1.1"),
        ([np.nan], [True], 0.5, "finite"),
        ([-np.inf], [True], 0.5, "drop padding"),
    ],
)
def test_bad_arguments_are_named(scores: list, matches: list, target: float, message: str):
    with pytest.raises(ValueError, match=message):
        precision_threshold(scores, matches, target)
