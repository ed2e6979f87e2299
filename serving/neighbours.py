"""What a similarity model answers, as Python objects; not for how it is asked (`client.py`).

The contract with the model: signature `serving_default` takes `image_bytes` [B] and gives
`neighbour_ids`, `neighbour_labels`, `neighbour_class_names`, `neighbour_scores` and `is_match`,
each [B, K], best first. A row with fewer than K neighbours is filled up with label −1 and id "".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

_PADDING_LABEL = -1
_OUTPUTS = (
    "neighbour_ids",
    "neighbour_class_names",
    "neighbour_labels",
    "neighbour_scores",
    "is_match",
)


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


def from_prediction(prediction: Any, k: int | None = None) -> list[Neighbour]:
    """Reads the answer to one query.

    Args:
        prediction: One element of `predictions` of a response in row format.
        k: How many neighbours to return; None for as many as the model gives.

    Returns:
        Best first; fewer than asked for where the gallery has no more.

    Raises:
        ValueError: k is more than the model gives.
        TypeError: The prediction is not a similarity model's.
    """
    columns = [_column(prediction, name) for name in _OUTPUTS]
    given = len(columns[0])
    if any(len(column) != given for column in columns):
        raise TypeError(f"the model's outputs differ in length: {[len(c) for c in columns]}")
    if k is not None and k > given:
        raise ValueError(f"k is {k}, but the model returns {given} neighbours of an image")
    rows = [
        (identity, name, int(label), float(score), bool(match))
        for identity, name, label, score, match in zip(*columns, strict=True)
        if label != _PADDING_LABEL
    ]
    return [Neighbour(rank, *row) for rank, row in enumerate(rows[:k], start=1)]


def _column(prediction: Any, name: str) -> Sequence[Any]:
    if not isinstance(prediction, Mapping) or not isinstance(prediction.get(name), list):
        raise TypeError(f"the model is not a similarity model: it returns no list {name}")
    return prediction[name]
