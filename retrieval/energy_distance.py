"""Are two sets of embeddings drawn from one distribution? The energy distance, and its test.

Not for single numbers such as scores (`score_shift.py`) or shares (`proportions.py`).

    𝓔(X, Y) = 2 E‖X − Y‖ − E‖X − X′‖ − E‖Y − Y′‖

is 0 if and only if X and Y have one distribution, whatever the distribution is (Székely and Rizzo,
"Energy statistics: A class of statistics based on distances", Journal of Statistical Planning and
Inference 143, 2013). It is a maximum mean discrepancy (Gretton et al., "A Kernel Two-Sample Test",
JMLR 13, 2012) with a kernel made of distances (Sejdinovic et al., Annals of Statistics 41, 2013),
and unlike a Gaussian kernel that one has no width to be chosen. Like their unbiased estimator, the
one here leaves out pairs of a row with itself: its mean over samples of one distribution is 0, for
small samples and for large ones, so it can be slightly negative.

How large a difference is says H = 𝓔 / (2 E‖X − Y‖), the coefficient of inhomogeneity of the same
authors: from 0, one distribution, to 1, two distinct points. That a difference is not chance's work
is said by a permutation test, which holds its level exactly for rows that are independent of each
other, however few they are.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

# Permutations of a block, which bounds memory.
_BLOCK = 256
# Two permutations of the same groups sum in another order.
_ROUNDING = 1e-12


@dataclasses.dataclass(frozen=True)
class EnergyTest:
    """What was found.

    Attributes:
        distance: Unbiased estimate of 𝓔, in units of the embeddings.
        effect: Estimate of H; up to 1, about 0 and perhaps below it for one distribution.
        p_value: Share of permutations with at least this distance, the given grouping included.
    """

    distance: float
    effect: float
    p_value: float


def energy_test(
    one: npt.ArrayLike, other: npt.ArrayLike, *, permutations: int = 999, seed: int = 0
) -> EnergyTest:
    """Compares two samples of vectors.

    Time grows as (N + M)² (D + permutations), memory as (N + M)².

    Args:
        one: Real numbers, [N, D].
        other: Real numbers, [M, D].
        permutations: B; the smallest possible p-value is 1 / (B + 1).
        seed: Of the permutations.

    Returns:
        Distance, effect and p-value; p = (1 + b) / (1 + B) for b permutations that are as far
        (Phipson and Smyth, "Permutation p-values should never be zero", 2010). Of two samples whose
        rows are all equal, effect and distance are 0.

    Raises:
        ValueError: No matrices of one width, fewer than two rows in one, NaN or infinity, or no
            permutation.

    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> same = energy_test(rng.normal(size=(50, 3)), rng.normal(size=(80, 3)))
    >>> moved = energy_test(rng.normal(size=(50, 3)), rng.normal(size=(80, 3)) + 1)
    >>> same.p_value > 0.05, moved.p_value, moved.effect > 0.1
    (True, 0.001, True)
    """
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1, got {permutations}")
    rows, count = _pooled(one, other)
    distances = _distances(rows)
    observed, between = _statistic(distances, _groups(len(rows), count))
    rng = np.random.default_rng(seed)
    far = 0
    for start in range(0, permutations, _BLOCK):
        size = min(_BLOCK, permutations - start)
        shuffled = rng.permuted(np.repeat(_groups(len(rows), count), size, axis=1), axis=0)
        statistic, _ = _statistic(distances, shuffled)
        far += int((statistic >= observed[0] - _ROUNDING).sum())
    return EnergyTest(
        distance=float(observed[0]),
        effect=float(observed[0] / (2 * between[0])) if between[0] > 0 else 0.0,
        p_value=(1 + far) / (1 + permutations),
    )


def _pooled(one: npt.ArrayLike, other: npt.ArrayLike) -> tuple[Matrix, int]:
    """All rows, and how many are of the first sample."""
    matrices: list[Any] = [np.asarray(sample, np.float64) for sample in (one, other)]
    if any(matrix.ndim != 2 for matrix in matrices) or (
        matrices[0].shape[1] != matrices[1].shape[1]
    ):
        raise ValueError(
            "samples must be matrices of one width, got shapes "
            f"{matrices[0].shape} and {matrices[1].shape}"
        )
    for name, matrix in zip(("first", "second"), matrices, strict=True):
        if len(matrix) < 2:
            raise ValueError(f"the {name} sample needs two rows or more, got {len(matrix)}")
        if not np.isfinite(matrix).all():
            raise ValueError(f"the {name} sample holds NaN or infinity")
    return np.concatenate(matrices), len(matrices[0])


def _distances(rows: Matrix) -> Matrix:
    """Euclidean distances of all pairs; exactly 0 on the diagonal."""
    # About their mean, rows are short, and the products below cancel less.
    centred = rows - rows.mean(axis=0)
    squares = np.einsum("nd,nd->n", centred, centred)
    gram = centred @ centred.T
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * gram, 0.0))
    np.fill_diagonal(distances, 0.0)
    return distances


def _groups(rows: int, first: int) -> Matrix:
    """1 for rows of the first sample, 0 for the others, [rows, 1]."""
    return (np.arange(rows) < first).astype(np.float64)[:, None]


def _statistic(distances: Matrix, groups: Matrix) -> tuple[Matrix, Matrix]:
    """Estimates of 𝓔 and of E‖X − Y‖ for each of P groupings [N + M, P]; both [P]."""
    first = groups.sum(axis=0)
    second = len(groups) - first
    sums = distances @ groups
    within_first = np.einsum("np,np->p", groups, sums)
    across = sums.sum(axis=0) - within_first
    within_second = distances.sum() - within_first - 2 * across
    between = across / (first * second)
    energy = (
        2 * between - within_first / (first * (first - 1)) - within_second / (second * (second - 1))
    )
    return energy, between
