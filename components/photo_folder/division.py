"""Divides images into train, validation and test, reproducibly and class by class."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Iterable

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Division:
    """What share of each class goes where.

    Attributes:
        validation_share: Share of a class's images for validation, 0 ≤ share < 1.
        test_share: Share of a class's images for test, 0 ≤ share < 1.
        seed: Another seed gives another division of the same shares.
    """

    validation_share: float
    test_share: float
    seed: int


class EmptySplitError(ValueError):
    """A split that is left without images; the message says what to do."""


def divide(items: Iterable[tuple[str, str]], division: Division) -> dict[str, str]:
    """Assigns a split to each item.

    The order within a class is that of a seeded hash of the id, so the result depends on ids
    and seed only, not on the order in which images are listed. Every class keeps at least
    one training image; a share above zero takes at least one image from each class that has three
    or more.

    Args:
        items: Pairs `(id, class_name)`; ids are unique.
        division: Shares and seed.

    Returns:
        Split name (`train`, `validation`, `test`) by id.
    """
    by_class: dict[str, list[str]] = defaultdict(list)
    for item, class_name in items:
        by_class[class_name].append(item)
    splits: dict[str, str] = {}
    for listed in by_class.values():
        members = sorted(listed, key=lambda item: _rank(division.seed, item))
        validation = _count(len(members), division.validation_share)
        test = _count(len(members), division.test_share)
        while validation + test > len(members) - 1:
            if test >= validation:
                test -= 1
            else:
                validation -= 1
        for index, item in enumerate(members):
            splits[item] = (
                "validation"
                if index < validation
                else "test"
                if index < validation + test
                else "train"
            )
    return splits


def _count(members: int, share: float) -> int:
    if share == 0.0:
        return 0
    return max(round(members * share), 1 if members >= 3 else 0)


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:image:{name}".encode()).digest()
