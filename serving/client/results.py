"""What a similarity model answers, as Python objects; not for how it is asked (`questions.py`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from serving.signatures import Signature

# What the model's outputs hold, by name: a list with an entry for each value that was asked about.
# Text is str, and bytes where the output's name ends in `_bytes`.
Columns = Mapping[str, Sequence[Any]]

NEIGHBOUR_OUTPUTS = (
    "neighbour_ids",
    "neighbour_class_names",
    "neighbour_labels",
    "neighbour_scores",
    "is_match",
)
_PADDING_LABEL = -1


@dataclasses.dataclass(frozen=True)
class Neighbour:
    """An image of the gallery that looks like the query.

    Attributes:
        rank: 1 for the most similar.
        id: The image's id.
        class_name: The name of its class.
        label: The number of its class.
        score: The cosine of the two embeddings.
        is_match: Whether the model thinks that both show the same class.
    """

    rank: int
    id: str
    class_name: str
    label: int
    score: float
    is_match: bool


@dataclasses.dataclass(frozen=True)
class ClassScore:
    """How probable the model's own head finds a class, 0 to 1."""

    class_name: str
    score: float


@dataclasses.dataclass(frozen=True)
class VersionInfo:
    """State of one version: `state` is LOADING, AVAILABLE, END, …; `error_message` says why."""

    version: int
    state: str
    error_code: str
    error_message: str


@dataclasses.dataclass(frozen=True)
class ModelMetadata:
    """A loaded version and its signatures by name."""

    name: str
    version: int
    signatures: Mapping[str, Signature]


def neighbours(columns: Columns, row: int, k: int | None = None) -> list[Neighbour]:
    """Reads the answer to one query.

    Args:
        columns: `NEIGHBOUR_OUTPUTS`, each [B, K], best first; a row with fewer than K neighbours is
            filled up with label -1.
        row: Which of the B queries.
        k: How many neighbours to return; None for as many as the model gives.

    Returns:
        Best first; fewer than asked for where the gallery has no more.

    Raises:
        ValueError: k is more than the model gives.
        TypeError: The answer is not a similarity model's.
    """
    found = [_list(columns[name][row], name) for name in NEIGHBOUR_OUTPUTS]
    given = len(found[0])
    if any(len(column) != given for column in found):
        raise TypeError(f"the model's outputs differ in length: {[len(c) for c in found]}")
    if k is not None and k > given:
        raise ValueError(f"k is {k}, but the model returns {given} neighbours of an image")
    rows = [
        (str(identity), str(name), int(label), float(score), bool(match))
        for identity, name, label, score, match in zip(*found, strict=True)
        if label != _PADDING_LABEL
    ]
    return [Neighbour(rank, *each) for rank, each in enumerate(rows[:k], start=1)]


def class_scores(columns: Columns, row: int, k: int | None = None) -> list[ClassScore]:
    """Reads the answer to one query of `class_names` and `scores`, each [B, C]."""
    names, scores = (_list(columns[name][row], name) for name in ("class_names", "scores"))
    pairs = list(zip(names, scores, strict=True))
    return [ClassScore(str(name), float(score)) for name, score in pairs[:k]]


def _list(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError(f"the model is not a similarity model: {name} holds no list for a query")
    return value
