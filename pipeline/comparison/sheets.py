"""Queries that changed, with what each run finds for them, as rows that can be drawn.

Which queries these are is decided in `query_changes.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from components.report.findings.pictures import SIDES, encode, opened
from pipeline.comparison.answers import Answers

# Pictures are made smaller until all of them together take no more than this, as files.
_MOST_BYTES = 3_200_000
# Neighbours of a query that are shown.
NEIGHBOURS = 6


class Pictures:
    """Thumbnails that are shown, each once."""

    def __init__(self) -> None:
        self._thumbnails: dict[str, bytes] = {}

    def key(self, thumbnail: bytes) -> str:
        """Keeps a thumbnail, and returns what it is called: equal ones have one name."""
        name = hashlib.sha256(thumbnail).hexdigest()[:16]
        self._thumbnails[name] = thumbnail
        return name

    def encoded(self) -> dict[str, bytes]:
        """All as WebP, as large as they may be, by name."""
        found: dict[str, bytes] = {}
        for side in SIDES:
            found = {name: encode(opened(data, side)) for name, data in self._thumbnails.items()}
            if sum(map(len, found.values())) <= _MOST_BYTES:
                break
        return found


def sheet_rows(
    positions: Sequence[int] | np.ndarray,
    answers: Mapping[str, Answers],
    rows: Mapping[str, np.ndarray],
    pictures: Pictures,
) -> list[dict[str, Any]]:
    """Describes queries and their neighbours in some runs.

    Args:
        positions: Of the queries among the common ones.
        answers: By the runs' letters, the reference first.
        rows: By letter, the rows of the common queries in a run's answers.
        pictures: Where thumbnails go.
    """
    return [
        _row({letter: int(rows[letter][position]) for letter in answers}, answers, pictures)
        for position in positions
    ]


def _row(
    rows: Mapping[str, int], answers: Mapping[str, Answers], pictures: Pictures
) -> dict[str, Any]:
    first = next(iter(answers))
    one, row = answers[first], rows[first]
    return {
        "id": str(one.ids[row]),
        "class_name": str(one.class_names[row]),
        "picture": pictures.key(one.thumbnails[row]),
        "runs": {
            letter: {
                "map_at_r": float(run.values["map_at_r"][rows[letter]]),
                "first_relevant_rank": int(run.first_relevant_ranks[rows[letter]]),
                "neighbours": _neighbours(run, rows[letter], pictures),
            }
            for letter, run in answers.items()
        },
    }


def _neighbours(run: Answers, row: int, pictures: Pictures) -> list[dict[str, Any]]:
    images = run.images
    nearest = zip(run.neighbours[row][:NEIGHBOURS], run.scores[row], strict=False)
    described = []
    for found, score in nearest:
        if found >= 0:
            class_name = images.class_names[images.classes[found]]
            described.append(
                {
                    "id": str(images.ids[found]),
                    "class_name": class_name,
                    "split": str(images.splits[found]),
                    "score": float(score),
                    "same": bool(class_name == run.class_names[row]),
                    "picture": pictures.key(images.thumbnails[found]),
                }
            )
    return described
