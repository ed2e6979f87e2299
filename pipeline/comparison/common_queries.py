"""Which queries runs have in common, and whether they really are the same.

What becomes of their results is in `changes.py` and `query_changes.py`.
"""

from __future__ import annotations

import dataclasses
import functools
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from pipeline.comparison.answers import Answers
from pipeline.comparison.errors import NotComparableError

# Pictures that are looked at, and the mean difference of their grey values (0 to 255, at 16 x 16
# pixels) from which on they are different pictures: another size or compression stays below 4.
_LOOKED_AT = 200
_SIDE, _DIFFERENT = 16, 10.0


@dataclasses.dataclass(frozen=True)
class CommonQueries:
    """The queries that all runs have, and that have something to find in all of them.

    Attributes:
        ids: [Q], sorted.
        class_names: [Q].
        rows: For each run the rows of its answers, int64 [Q].
        only_here: For each run, how many of its queries another has not got.
        without_relevant: Common queries that are left out, because in some run no other image of
            their class is searched.
    """

    ids: np.ndarray
    class_names: np.ndarray
    rows: tuple[np.ndarray, ...]
    only_here: tuple[int, ...]
    without_relevant: int

    def __len__(self) -> int:
        """Returns Q."""
        return len(self.ids)


def common_queries(answers: Sequence[Answers], labels: Sequence[str], split: str) -> CommonQueries:
    """Finds them.

    Args:
        answers: Of each run, for the same split; ids in each are unique and sorted.
        labels: What the runs are called in messages.
        split: Likewise.

    Raises:
        NotComparableError: There are none, or a query has another class in another run.
    """
    ids = functools.reduce(np.intersect1d, [run.ids for run in answers])
    if not len(ids):
        raise NotComparableError(
            f"the runs {', '.join(labels)} have no query of the split {split} in common; an id of "
            "each: " + ", ".join(str(run.ids[0]) for run in answers)
        )
    rows = [np.searchsorted(run.ids, ids) for run in answers]
    reference = answers[0].class_names[rows[0]]
    for run, row, label in zip(answers[1:], rows[1:], labels[1:], strict=True):
        differing = np.flatnonzero(run.class_names[row] != reference)
        if len(differing):
            first = differing[0]
            raise NotComparableError(
                f"{len(differing)} of {len(ids)} common queries of the split {split} have another "
                f"class in {label} than in {labels[0]}: {ids[first]} is "
                f"{run.class_names[row[first]]}, not {reference[first]}; runs can be compared on "
                "the same labelled images only"
            )
    answered = np.all([run.answered[row] for run, row in zip(answers, rows, strict=True)], axis=0)
    if not answered.any():
        raise NotComparableError(
            f"none of the {len(ids)} common queries of the split {split} has another image of its "
            "class to find in every run"
        )
    return CommonQueries(
        ids=ids[answered],
        class_names=reference[answered],
        rows=tuple(row[answered] for row in rows),
        only_here=tuple(len(run.ids) - len(ids) for run in answers),
        without_relevant=int(len(ids) - answered.sum()),
    )


def different_pictures(
    one: Answers, other: Answers, rows: tuple[np.ndarray, np.ndarray]
) -> list[int]:
    """Positions of common queries that show something else in another run, of some that are tried.

    Equal ids do not prove equal images: drawn flowers of another seed have the same ids.

    Args:
        one: A run's answers.
        other: Another's.
        rows: Rows of the same queries in both, [Q] each.
    """
    tried = np.unique(np.linspace(0, len(rows[0]) - 1, _LOOKED_AT).astype(int))
    return [
        int(position)
        for position in tried
        if _differ(one.thumbnails[rows[0][position]], other.thumbnails[rows[1][position]])
    ]


def _differ(one: bytes, other: bytes) -> bool:
    return one != other and float(np.abs(_small(one) - _small(other)).mean()) > _DIFFERENT


def _small(encoded: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(encoded)) as image:
        return np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX), float)
