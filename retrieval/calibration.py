"""Finds the score from which on a neighbour may be called a match.

Not for ranking metrics (`metrics.py`): this looks at pairs and their scores, not at their order
within one query.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt


def precision_threshold(
    scores: npt.ArrayLike, is_match: npt.ArrayLike, target_precision: float
) -> float:
    """The lowest threshold t for which the pairs with score >= t are precise enough.

    precision(t) = #{i : is_match_i and score_i >= t} / #{i : score_i >= t}

    Only observed scores are tried. Pairs with equal scores are above or below t together.
    Precision need not fall as t does: the lowest t that reaches the target wins, even if a higher
    one misses it.

    Args:
        scores: Finite numbers, any shape; drop the padding of `top_k` first.
        is_match: Booleans of the same shape.
        target_precision: 0 < target <= 1.

    Returns:
        The threshold, one of the scores; +inf (so that nothing matches) if no threshold reaches
        the target or there are no pairs.

    Raises:
        ValueError: shapes differ, a score is not finite, or the target is out of range.

    >>> precision_threshold([0.9, 0.8, 0.8, 0.3], [True, True, False, True], 0.75)
    0.3
    >>> precision_threshold([0.9, 0.8, 0.8, 0.3], [True, True, False, True], 0.8)
    0.9
    >>> precision_threshold([0.9, 0.5], [False, True], 1.0)
    inf
    """
    values = np.asarray(scores)
    matches = np.asarray(is_match)
    if values.shape != matches.shape:
        raise ValueError(
            f"scores and is_match must have one shape, got {values.shape} and {matches.shape}"
        )
    if matches.size and matches.dtype.kind != "b":
        raise ValueError(f"is_match must be boolean, got {matches.dtype}")
    if not 0.0 < target_precision <= 1.0:
        raise ValueError(f"target_precision must be in (0, 1], got {target_precision}")
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite: drop padding and NaN first")
    order = np.argsort(-values.ravel(), kind="stable")
    ordered = values.ravel()[order]
    hits = np.cumsum(matches.ravel()[order].astype(np.int64))
    precision = hits / np.arange(1, len(hits) + 1)
    last_of_tie = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]
    enough = np.flatnonzero(last_of_tie & (precision >= target_precision))
    return float(ordered[enough[-1]]) if enough.size else math.inf
