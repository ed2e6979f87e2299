"""What is printed of a model server's answer."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pipeline.query.output import print_neighbours
from serving.client import Neighbour


@pytest.mark.parametrize("width", [60, 200])
def test_figures_are_whole_however_long_the_names(width: int) -> None:
    neighbour = Neighbour(
        rank=1,
        id="train/" + "very-long-folder/" * 4 + "photo.jpg",
        class_name="broad-petalled blushing glencampion " * 2,
        label=3,
        score=0.87654,
        is_match=True,
    )
    screen = io.StringIO()
    print_neighbours("a photo", [neighbour], Console(file=screen, width=width))
    title, header, first, *rest = screen.getvalue().splitlines()
    assert title == "a photo"
    assert header.split() == ["rank", "score", "match", "class", "id"]
    assert first.split()[:3] == ["1", "0.8765", "yes"]
    place = header.index(" id") + 1
    assert "".join(line[place:].strip() for line in [first, *rest]) == neighbour.id
