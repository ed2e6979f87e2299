"""What counts as the same answer: rounding errors and what follows from them, nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.serving_check.agreement import TOLERANCE, arrays_differ, rows_differ


def _answer(
    ids: list[str], scores: list[float], flags: list[bool] | None = None
) -> dict[str, np.ndarray]:
    """One row; what is known of a thing follows from its id."""
    return {
        "id": np.array([[name.encode() for name in ids]], object),
        "score": np.array([scores], np.float32),
        "label": np.array([[sum(name.encode()) for name in ids]]),
        "flag": np.array([flags or [score > 0.5 for score in scores]]),
    }


def _differ(answer: dict[str, Any], expected: dict[str, Any]) -> str:
    return rows_differ(answer, expected, ranked="id", by="score")


EXPECTED = _answer(["a", "b", "c", ""], [0.9, 0.7, 0.2, -1.0])


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_a_ranking_of_the_same_scores_with_rounding_errors_agrees(seed: int, k: int) -> None:
    """Scores that are often nearly tied, two roundings of them, and the best K of each."""
    rng = np.random.default_rng(seed)
    exact = np.round(rng.random(10), 1)

    def best(scores: np.ndarray) -> dict[str, np.ndarray]:
        rows = np.argsort(-scores)[:k]
        return _answer([f"image {row}" for row in rows], scores[rows].tolist())

    one, other = (best(exact + rng.uniform(-0.45, 0.45, 10) * TOLERANCE) for _ in range(2))
    assert _differ(one, other) == ""


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (_answer(["a", "b", "c", ""], [0.9, 0.69, 0.2, -1.0]), "numbers differ by up to 0.01"),
        (_answer(["b", "a", "c", ""], [0.9, 0.7, 0.2, -1.0]), "id differ: 'b' scores"),
        (_answer(["a", "x", "c", ""], [0.9, 0.7, 0.2, -1.0]), "only one of both has 'x'"),
        (_answer(["a", "b", "c", "d"], [0.9, 0.7, 0.2, 0.1]), "numbers differ by up to 1.1"),
        (_answer(["a", "b", "c"], [0.9, 0.7, 0.2]), "3 id in place of 4"),
        (_answer(["a", "b", "c", ""], [0.9, float("nan"), 0.2, -1.0]), "numbers differ"),
        (
            _answer(["a", "b", "c", ""], [0.9, 0.7, 0.2, -1.0], [True, False, False, False]),
            "flag of 'b': False and True",
        ),
        ({**EXPECTED, "label": EXPECTED["label"] + 1}, "label of 'a'"),
    ],
)
def test_any_other_difference_is_told(answer: dict[str, np.ndarray], words: str) -> None:
    assert words in _differ(answer, EXPECTED)


def test_the_row_is_named_and_rows_are_counted() -> None:
    two = {name: np.concatenate([values, values]) for name, values in EXPECTED.items()}
    wrong = {name: values.copy() for name, values in two.items()}
    wrong["id"][1, 0] = b"x"
    assert _differ(wrong, two).startswith("row 1: id differ")
    assert _differ(EXPECTED, two) == "1 rows in place of 2"


def test_a_flag_may_change_where_the_score_has() -> None:
    one = _answer(["a"], [0.5000001], [True])
    assert _differ(one, _answer(["a"], [0.5], [False])) == ""
    assert _differ(one, _answer(["a"], [0.5000001], [False])) == "flag of 'a': True and False"


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (np.array([[0.1, 0.2]]), np.array([[0.1, 0.200009]], np.float32), ""),
        (np.array([[0.1, 0.2]]), np.array([[0.1, 0.20002]], np.float32), "differ by up to 2e-05"),
        (np.array([[0.1, np.nan]]), np.array([[0.1, 0.2]]), "numbers differ"),
        (np.array([[0.1]]), np.array([[0.1, 0.2]]), "shape [1, 1] in place of [1, 2]"),
        (np.array([b"a\0"], object), np.array([b"a\0"], object), ""),
        (np.array([b"a"], object), np.array([b"a\0"], object), "other bytes"),
    ],
)
def test_arrays(answer: np.ndarray, expected: np.ndarray, words: str) -> None:
    found = arrays_differ(answer, expected)
    assert words in found and bool(words) == bool(found)
