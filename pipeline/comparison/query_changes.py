"""Which queries got better and worse from one run to another.

Of their per-query results alone; the neighbours and pictures that go with them are added in
`compare.py`.
"""

from __future__ import annotations

import dataclasses

import numpy as np

# MAP@R of a query in two runs that differ by less are the same number, rounded otherwise.
_SAME = 1e-9


@dataclasses.dataclass(frozen=True)
class QueryChanges:
    """Positions of queries by what became of them.

    Attributes:
        better: Better in the other run, those that gained most first; int64.
        worse: Worse in it, those that lost most first.
        same: How many are neither.
    """

    better: np.ndarray
    worse: np.ndarray
    same: int


def query_changes(
    ids: np.ndarray,
    reference: tuple[np.ndarray, np.ndarray],
    other: tuple[np.ndarray, np.ndarray],
) -> QueryChanges:
    """Sorts queries by their change in MAP@R, and where it is equal by where their class appears.

    Args:
        ids: Of the queries, [Q]; they decide between equals.
        reference: MAP@R and the rank of the first image of their class, from 1, each [Q].
        other: The same in the other run.

    >>> ranks = np.array([1, 2, 1]), np.array([1, 1, 3])
    >>> changes = query_changes(np.array(["a", "b", "c"]), (np.array([0.5, 0.5, 0.5]), ranks[0]),
    ...                         (np.array([0.5, 0.5, 0.25]), ranks[1]))
    >>> changes.better.tolist(), changes.worse.tolist(), changes.same
    ([1], [2], 1)
    """
    gained = other[0] - reference[0]
    gained = np.where(np.abs(gained) < _SAME, 0.0, gained)
    nearer = reference[1] - other[1]
    is_better = (gained > 0) | ((gained == 0) & (nearer > 0))
    is_worse = (gained < 0) | ((gained == 0) & (nearer < 0))
    # The last key counts first.
    best_first = np.lexsort((ids, -nearer, -gained))
    worst_first = np.lexsort((ids, nearer, gained))
    return QueryChanges(
        better=best_first[is_better[best_first]],
        worse=worst_first[is_worse[worst_first]],
        same=int((~is_better & ~is_worse).sum()),
    )
