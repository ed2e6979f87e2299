"""Unit rows and codes: the grid, the extremes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval import rows


def test_unit_rows_have_unit_length_and_lie_on_the_grid():
    matrix = np.random.default_rng(0).normal(size=(500, 97))
    unit = rows.unit_rows(matrix)
    assert unit.dtype == np.float32
    assert np.array_equal(np.rint(unit.astype(np.float64) * 2**24), unit.astype(np.float64) * 2**24)
    expected = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    np.testing.assert_allclose(unit, expected, atol=2.0**-25 + 1e-12, rtol=0)


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_scale_does_not_matter_however_extreme(scale: float):
    direction = np.array([[3.0, 4.0, 0.0], [1.0, -1.0, 1.0]])
    np.testing.assert_array_equal(rows.unit_rows(direction * scale), rows.unit_rows(direction))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint8", "int64"])
def test_every_real_dtype_gives_the_same_rows(dtype: str):
    matrix = np.random.default_rng(1).integers(0, 100, (20, 6))
    np.testing.assert_array_equal(rows.unit_rows(matrix.astype(dtype)), rows.unit_rows(matrix))


def test_bfloat16_is_accepted():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    matrix = np.array([[3, 4], [0, 2]], ml_dtypes.bfloat16)
    expected = np.array([[0.6, 0.8], [0.0, 1.0]], np.float32)
    np.testing.assert_array_equal(rows.unit_rows(matrix), expected)


def test_zero_rows_stay_zero_and_no_rows_stay_no_rows():
    assert not rows.unit_rows(np.zeros((2, 3))).any()
    assert rows.unit_rows(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_named(bad: float):
    matrix = np.ones((5000, 3))
    matrix[4321, 1] = bad
    with pytest.raises(ValueError, match="gallery row 4321 holds NaN or infinity"):
        rows.unit_rows(matrix, "gallery")


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([1.0, 2.0], r"shape \[rows, dim\]"),
        (np.zeros((3, 0)), "dim >= 1"),
        (np.zeros((2, 2, 2)), r"\(2, 2, 2\)"),
        ([["a", "b"]], "real numbers"),
        (np.zeros((2, 2), complex), "complex128"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(matrix: object, message: str):
    with pytest.raises(ValueError, match=message):
        rows.unit_rows(matrix)  # type: ignore[arg-type]


def test_exact_scores_do_not_depend_on_the_order_of_addition():
    rng = np.random.default_rng(2)
    unit = rows.unit_rows(rng.normal(size=(64, 1000)))
    order = rng.permutation(1000)
    whole = rows.exact_scores(unit, unit)
    np.testing.assert_array_equal(rows.exact_scores(unit[:, order], unit[:, order]), whole)
    one_by_one = np.concatenate([rows.exact_scores(unit, unit[i : i + 1]) for i in range(64)], 1)
    np.testing.assert_array_equal(one_by_one, whole)


def test_exact_scores_have_no_negative_zero():
    scores = rows.exact_scores(*np.array([[[-1, 0]], [[0, 1]]], np.float32))
    assert not np.signbit(scores).any()


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([5, 7, 5], [7, 9]),
        (["é", "b", "é"], ["b", "c"]),
        ([b"a", b"b", b"a"], [b"b", b"c"]),
        (np.array([2**63, 3], np.uint64), np.array([3, 4], np.int64)),
        ([True, False], [True]),
        ([1, 2], []),
        (["a"], []),
        ([], []),
    ],
)
def test_codes_are_equal_exactly_where_values_are(left: list, right: list):
    a, b = rows.paired_codes(left, right, len(left), len(right), "ids")
    assert a.dtype == b.dtype == np.int64
    expected = np.array([[x == y for y in right] for x in left], bool).reshape(len(a), len(b))
    np.testing.assert_array_equal(a[:, None] == b[None], expected)


def test_integers_above_two_to_the_53_do_not_alias():
    a, b = rows.paired_codes([2**53], [2**53 + 1], 1, 1, "ids")
    assert a[0] != b[0]


@pytest.mark.parametrize(
    ("left", "right", "error", "message"),
    [
        ([1.0], [1], TypeError, "query_labels must be integers or strings, got float64"),
        ([1], [1.5], TypeError, "gallery_labels"),
        (["a"], [b"a"], TypeError, "mix bytes and str"),
        ([1, 2], [1], ValueError, r"query_labels must have shape \(1,\), got \(2,\)"),
        ([1], [[1]], ValueError, r"gallery_labels must have shape \(1,\)"),
        (np.array([{}], object), [1], TypeError, "hashable"),
    ],
)
def test_values_that_cannot_be_compared_are_refused(
    left: list, right: list, error: type[Exception], message: str
):
    with pytest.raises(error, match=message):
        rows.paired_codes(left, right, 1, 1, "labels")


def test_equal_pairs_against_two_loops():
    rng = np.random.default_rng(3)
    left, right = rng.integers(0, 6, 40), rng.integers(0, 6, 70)
    found = list(zip(*(side.tolist() for side in rows.equal_pairs(left, right)), strict=True))
    assert found == [(i, j) for i in range(40) for j in range(70) if left[i] == right[j]]
