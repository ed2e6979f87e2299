"""Fetches the pictures of what a query found; not for drawing them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.terminal import printable

if TYPE_CHECKING:
    from serving.client import Neighbour, SimilarityClient


class Thumbnails:
    """Those of a served model. One that has none is no reason to show nothing: it is said once."""

    def __init__(self, client: SimilarityClient) -> None:
        self._client = client
        self._are_there = True

    def of(self, neighbours: Sequence[Neighbour]) -> list[bytes] | None:
        """Encoded thumbnails, one for each neighbour; None if the model has none."""
        from serving.client import RequestError

        if self._are_there:
            try:
                return self._client.thumbnails([found.id for found in neighbours])
            except RequestError as error:
                print(f"flowersim: no pictures: {printable(str(error))}", file=sys.stderr)
                self._are_there = False
        return None
