"""Which of the versions of a model are to be served: TensorFlow Serving's three policies."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal


@dataclasses.dataclass(frozen=True)
class VersionPolicy:
    """A choice among the versions there are.

    Attributes:
        kind: "latest" for the newest few, "all", or "specific" for those listed.
        count: How many of the newest, for "latest".
        versions: Those listed, for "specific".

    Raises:
        ValueError: The number of versions is not positive, or none are listed.
    """

    kind: Literal["latest", "all", "specific"] = "latest"
    count: int = 1
    versions: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if self.kind == "latest" and self.count < 1:
            raise ValueError(f"num_versions must be at least 1, got {self.count}")
        if self.kind == "specific" and not self.versions:
            raise ValueError("the specific version policy lists no versions")

    def candidates(self, available: Iterable[int]) -> list[int]:
        """Versions that may be served, newest first.

        >>> VersionPolicy("specific", versions=frozenset({1, 3})).candidates([1, 2, 3])
        [3, 1]
        """
        newest_first = sorted(available, reverse=True)
        if self.kind == "specific":
            return [version for version in newest_first if version in self.versions]
        return newest_first

    def is_enough(self, chosen: int) -> bool:
        """Whether so many versions are enough."""
        return self.kind == "latest" and chosen >= self.count
