"""Prints what a model server found for a photo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from serving.client import Neighbour


def print_neighbours(title: str, neighbours: Sequence[Neighbour], console: Console) -> None:
    """Prints one photo's neighbours, best first, under a title."""
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
            escape(neighbour.class_name),
            escape(neighbour.id),
        )
    console.print(title, soft_wrap=True, markup=False)
    console.print(table)
