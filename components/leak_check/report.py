"""The list of near-duplicates: `near_duplicates.json` in LeakCheck's artifact.

An object with `images`, a list of objects with the fields of `NearDuplicate`, the most alike first.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable

FILE = "near_duplicates.json"


@dataclasses.dataclass(frozen=True)
class NearDuplicate:
    """An image that looks like one of an earlier split.

    Attributes:
        id: The image.
        split: Where it is.
        class_name: What it shows.
        original_id: The most alike image of an earlier split.
        original_split: Where that is.
        original_class_name: What that shows.
        likeness: See `likeness.py`.
        cosine: Of their embeddings.
    """

    id: str
    split: str
    class_name: str
    original_id: str
    original_split: str
    original_class_name: str
    likeness: float
    cosine: float


def dumps(found: Iterable[NearDuplicate]) -> str:
    """Returns the content of the file."""
    ranked = sorted(found, key=lambda image: (-image.likeness, image.id))
    return json.dumps({"images": [dataclasses.asdict(image) for image in ranked]}, indent=1) + "\n"


def loads(text: str) -> list[NearDuplicate]:
    """Reads the content of the file."""
    return [NearDuplicate(**image) for image in json.loads(text)["images"]]
