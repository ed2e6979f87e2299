"""The energy distance against its definition, SciPy's in one dimension, and its promises."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from retrieval.energy_distance import energy_test


def unit(rng: np.random.Generator, rows: int, dim: int = 8) -> np.ndarray:
    vectors = rng.normal(size=(rows, dim)) + np.array([2.0] + [0.0] * (dim - 1))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def by_definition(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """𝓔 and H, a pair at a time."""

    def mean(pairs) -> float:
        return float(np.mean([np.linalg.norm(a - b) for a, b in pairs]))

    between = mean(itertools.product(one, other))
    energy = (
        2 * between - mean(itertools.permutations(one, 2)) - mean(itertools.permutations(other, 2))
    )
    return energy, energy / (2 * between)


@pytest.mark.parametrize(("n", "m", "shift"), [(2, 2, 0.0), (7, 12, 0.3), (25, 9, 2.0)])
def test_the_definition(n: int, m: int, shift: float):
    rng = np.random.default_rng(n)
    one, other = rng.normal(size=(n, 5)) + shift, rng.normal(size=(m, 5))
    found = energy_test(one, other)
    assert (found.distance, found.effect) == pytest.approx(by_definition(one, other), abs=1e-12)


def test_scipy_in_one_dimension():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=40), rng.normal(0.7, 2, size=30)
    # SciPy's counts pairs of a value with itself, and is a square root.
    within = [np.abs(x[:, None] - x).mean() / (len(x) - 1) for x in (one, other)]
    expected = scipy.stats.energy_distance(one, other) ** 2 - sum(within)
    found = energy_test(one[:, None], other[:, None])
    assert found.distance == pytest.approx(expected, abs=1e-12)


def test_the_p_value_is_that_of_all_groupings():
    rng = np.random.default_rng(3)
    rows = np.concatenate([rng.normal(size=(4, 2)) + 0.8, rng.normal(size=(5, 2))])
    observed = by_definition(rows[:4], rows[4:])[0]
    values = []
    for chosen in itertools.combinations(range(9), 4):
        rest = [row for row in range(9) if row not in chosen]
        values.append(by_definition(rows[list(chosen)], rows[rest])[0])
    exact = float(np.mean(np.array(values) >= observed - 1e-12))
    assert 0.05 < exact < 0.5  # 126 groupings
    found = energy_test(rows[:4], rows[4:], permutations=20_000)
    assert found.p_value == pytest.approx(exact, abs=0.012)


def test_equal_input_gives_equal_output_and_another_seed_another_p_value():
    rng = np.random.default_rng(0)
    one, other = unit(rng, 30), unit(rng, 40)
    assert energy_test(one, other) == energy_test(one.copy(), other.copy())
    others = {energy_test(one, other, seed=seed).p_value for seed in range(3)}
    assert len(others) > 1 and max(others) - min(others) < 0.08


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_neither_order_nor_place_nor_scale_matter(seed: int, scale: float):
    rng = np.random.default_rng(seed)
    one, other = rng.normal(size=(6, 3)) + 0.5, rng.normal(size=(9, 3))
    found = energy_test(one, other, permutations=1)
    turned, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    moved = [scale * (x @ turned + 7.0) for x in (one[::-1], other[rng.permutation(9)])]
    again = energy_test(*moved, permutations=1)
    assert again.effect == pytest.approx(found.effect, abs=1e-9)
    assert again.distance == pytest.approx(scale * found.distance, abs=1e-9 * scale)
    assert energy_test(other, one, permutations=1).distance == pytest.approx(found.distance)


def test_it_fires_in_a_share_of_null_draws_that_is_the_level():
    rng = np.random.default_rng(0)
    draws = 400
    # Neither sizes nor distribution are symmetric.
    p_values = np.array(
        [
            energy_test(unit(rng, 25), unit(rng, 60), permutations=199, seed=seed).p_value
            for seed in range(draws)
        ]
    )
    for level in (0.01, 0.05, 0.2):
        fired = int((p_values <= level).sum())
        low, high = scipy.stats.binom.ppf([0.0005, 0.9995], draws, level)
        assert low <= fired <= high, level


@pytest.mark.parametrize("rows", [10, 200])
def test_the_effect_of_no_difference_is_zero_on_average_for_any_size(rows: int):
    rng = np.random.default_rng(1)
    effects = [
        energy_test(unit(rng, rows), unit(rng, rows), permutations=1).effect for _ in range(200)
    ]
    error = np.std(effects) / np.sqrt(len(effects))
    assert abs(np.mean(effects)) < 4 * error and min(effects) < 0


def test_power_grows_with_the_shift_and_the_sample_and_the_effect_only_with_the_shift():
    def fired(rows: int, shift: float) -> tuple[float, float]:
        rng = np.random.default_rng(2)
        found = [
            energy_test(unit(rng, rows) + np.eye(8)[1] * shift, unit(rng, rows), permutations=199)
            for _ in range(30)
        ]
        return (
            float(np.mean([f.p_value <= 0.01 for f in found])),
            float(np.mean([f.effect for f in found])),
        )

    small, small_effect = fired(40, 0.1)
    more, more_effect = fired(400, 0.1)
    large, large_effect = fired(40, 0.6)
    assert small < 0.5 < more and large == 1.0
    assert more_effect == pytest.approx(small_effect, abs=0.006)
    assert large_effect > 5 * more_effect


def test_another_spread_with_the_same_mean_is_found():
    rng = np.random.default_rng(0)
    found = energy_test(rng.normal(size=(150, 4)), 1.6 * rng.normal(size=(150, 4)))
    assert found.p_value <= 0.001 and 0.01 < found.effect < 0.2


def test_corner_cases():
    same = np.ones((3, 2))
    assert energy_test(same, same).distance == 0.0
    assert energy_test(same, same).effect == 0.0
    assert energy_test(same, same).p_value == 1.0
    points = energy_test(np.zeros((3, 2)), same)
    assert points.effect == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (np.ones((1, 2)), np.ones((3, 2)), "first sample needs two rows or more, got 1"),
        (np.ones((3, 2)), np.ones((3, 3)), r"one width, got shapes \(3, 2\) and \(3, 3\)"),
        (np.ones(3), np.ones((3, 3)), "matrices"),
        (np.ones((3, 2)), np.full((3, 2), np.nan), "second sample holds NaN"),
    ],
)
def test_bad_input(one: np.ndarray, other: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        energy_test(one, other)


def test_no_permutation():
    with pytest.raises(ValueError, match="permutations must be at least 1, got 0"):
        energy_test(np.ones((3, 2)), np.ones((3, 2)), permutations=0)
