"""Prints what a model server found for photos: as tables for people, as lines of JSON for programs.

Not for pictures (`pictures.py`) nor pages (`sheet.py`).
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.terminal import one_line, printable

if TYPE_CHECKING:
    from pipeline.query.pictures import Painter
    from pipeline.query.thumbnails import Thumbnails
    from serving.client import Neighbour


def print_neighbours(title: str, neighbours: Sequence[Neighbour], console: Console) -> None:
    """Prints one photo's neighbours, best first, under a title."""
    console.print(title, soft_wrap=True, markup=False)
    console.print(_table(neighbours))


class JsonLines:
    """Prints `{"photo": …, "neighbours": […]}` for each photo, or `{"photo": …, "error": …}`."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def add(self, name: str, image: bytes, neighbours: Sequence[Neighbour]) -> None:
        """Prints one photo's neighbours."""
        self._print(
            {"photo": name, "neighbours": [dataclasses.asdict(found) for found in neighbours]}
        )

    def failed(self, name: str, reason: str) -> None:
        """Prints why there are none."""
        self._print({"photo": name, "error": reason})

    def close(self) -> None:
        """Nothing is left to be done."""

    def _print(self, line: dict[str, object]) -> None:
        print(json.dumps(line, ensure_ascii=False), file=self._file, flush=True)


class Tables:
    """Prints a table for each photo, and its neighbours' thumbnails where the terminal can."""

    def __init__(self, console: Console, painter: Painter | None, thumbnails: Thumbnails) -> None:
        self._console, self._painter, self._thumbnails = console, painter, thumbnails

    def add(self, name: str, image: bytes, neighbours: Sequence[Neighbour]) -> None:
        """Prints one photo's neighbours."""
        self._console.print(name, soft_wrap=True, markup=False)
        if self._painter is not None and (found := self._thumbnails.of(neighbours)) is not None:
            self._painter.draw(image, neighbours, found)
        self._console.print(_table(neighbours))

    def failed(self, name: str, reason: str) -> None:
        """Prints why there are none."""
        print(f"flowersim: {printable(reason)}", file=sys.stderr)

    def close(self) -> None:
        """Nothing is left to be done."""


def _table(neighbours: Sequence[Neighbour]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    # Where a line is too short for all, names are broken: figures cut short would be lost.
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("match", no_wrap=True)
    table.add_column("class", overflow="fold")
    table.add_column("id", overflow="fold")
    for neighbour in neighbours:
        table.add_row(
            str(neighbour.rank),
            f"{neighbour.score:.4f}",
            "yes" if neighbour.is_match else "no",
            escape(one_line(neighbour.class_name)),
            escape(one_line(neighbour.id)),
        )
    return table
