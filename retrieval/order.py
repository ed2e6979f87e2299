"""The total order of search results: higher score first, then lower gallery index.

Both go into one integer, so that sorting and partitioning need no tie-breaking, and the result of
a search cannot depend on how a gallery was cut up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# Gallery indices take 31 bits; the largest stands for none.
NONE = 2**31 - 1


def packed(scores: Floats, indices: Ints) -> Ints:
    """Keys that ascend from the best to the worst.

    Args:
        scores: float32 without NaN, any shape.
        indices: Of the gallery, int64 below 2**31 - 1, the same shape; negative for none.

    Returns:
        int64, the same shape.

    >>> np.argsort(packed(np.float32([0.5, -1, 0.5, -np.inf]), np.array([7, 1, 3, -1]))).tolist()
    [2, 0, 1, 3]
    """
    # Adding zero makes -0.0 and 0.0 one number.
    bits = (scores + np.float32(0.0)).view(np.int32)
    # Read as integers with a sign, floats order like the numbers after this.
    ascending = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
    return (~ascending).astype(np.int64) << 32 | np.where(indices < 0, NONE, indices)


def unpacked(keys: Ints) -> tuple[Floats, Ints]:
    """Takes `packed` back: scores and indices, -1 for none."""
    ascending = ~(keys >> 32).astype(np.int32)
    scores = (ascending ^ ((ascending >> 31) & np.int32(0x7FFFFFFF))).view(np.float32)
    indices = keys & 0xFFFFFFFF
    return scores, np.where(indices == NONE, -1, indices)


def first(keys: Ints, k: int) -> Ints:
    """The k first keys of each row [Q, K], sorted; rows with fewer are padded with none.

    >>> unpacked(first(packed(np.float32([[1, 2]]), np.array([[0, 1]])), 3))[1].tolist()
    [[1, 0, -1]]
    """
    short = k - keys.shape[1]
    if short > 0:
        none = packed(np.full(1, -np.inf, np.float32), np.array([-1]))[0]
        keys = np.pad(keys, ((0, 0), (0, short)), constant_values=none)
    elif short < 0:
        keys = np.partition(keys, k - 1, axis=1)[:, :k]
    return np.sort(keys, axis=1)
