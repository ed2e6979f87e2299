"""Draws a photo and its neighbours in a terminal: a row of tiles, matches framed in green.

As an image where the terminal has a protocol for it that it tells of (kitty's or iTerm2's), else in
blocks of two colours a character. Not for what else is printed (`output.py`).
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from PIL import Image, ImageOps
from rich.color import Color
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style

if TYPE_CHECKING:
    from serving.client import Neighbour

Way = Literal["kitty", "iterm2", "blocks"]

_MATCH, _OTHER, _QUERY = (46, 139, 87), (150, 150, 150), (90, 130, 220)
# Sides of a tile in pixels, its frame included: of an image, and in blocks.
_IMAGE_SIDE, _BLOCK_SIDE = 112, 16
_FRAMES = {_IMAGE_SIDE: 3, _BLOCK_SIDE: 1}
# Pixels of a character's width, about: what an image of so many tiles takes.
_CHARACTER = 9
_KITTY_CHUNK = 4096


class Painter(Protocol):
    """Draws in a terminal."""

    def draw(
        self, image: bytes, neighbours: Sequence[Neighbour], thumbnails: Sequence[bytes]
    ) -> None:
        """Draws a photo and its neighbours, as many as fit into a line.

        Args:
            image: The photo, encoded.
            neighbours: Best first.
            thumbnails: Theirs, encoded.
        """


def painter(choice: Literal["auto", "always", "never"], console: Console) -> Painter | None:
    """What can draw in a terminal; None if nothing can, or is to.

    Args:
        choice: "always" draws in blocks where nothing better is known, also into a file.
        console: The terminal.
    """
    if choice == "never":
        return None
    way = terminal_way(os.environ, console)
    if way is None and choice == "always":
        way = "blocks"
        # As wide as what is printed, but with colours whatever the file is.
        console = Console(
            file=console.file,
            width=console.width,
            force_terminal=True,
            color_system="truecolor",
            legacy_windows=False,
        )
    if way is None:
        return None
    return _Blocks(console) if way == "blocks" else _Inline(console, way)


def terminal_way(environment: Mapping[str, str], console: Console) -> Way | None:
    """How a terminal can show pictures, by what it says of itself; None for not at all."""
    if not console.is_terminal:
        return None
    program, kind = environment.get("TERM_PROGRAM", ""), environment.get("TERM", "")
    # Within tmux and screen the outer terminal's protocols do not get through.
    if not (environment.get("TMUX") or kind.startswith(("screen", "tmux"))):
        if "KITTY_WINDOW_ID" in environment or kind == "xterm-kitty" or program == "ghostty":
            return "kitty"
        if program in ("iTerm.app", "WezTerm"):
            return "iterm2"
    return "blocks" if console.color_system == "truecolor" else None


def tiles(
    image: bytes, neighbours: Sequence[Neighbour], thumbnails: Sequence[bytes], side: int
) -> list[Image.Image]:
    """Squares of the photo and its neighbours, framed; what Pillow cannot read is left grey."""
    frames = [_QUERY, *(_MATCH if found.is_match else _OTHER for found in neighbours)]
    return [
        ImageOps.expand(_square(encoded, side - 2 * _FRAMES[side]), _FRAMES[side], colour)
        for encoded, colour in zip([image, *thumbnails], frames, strict=True)
    ]


def _square(encoded: bytes, side: int) -> Image.Image:
    """The central square of an image, upright."""
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            upright = ImageOps.exif_transpose(image)
            return ImageOps.fit(upright.convert("RGB"), (side, side))
    except (OSError, ValueError):
        return Image.new("RGB", (side, side), "grey")


def _row(pictures: Sequence[Image.Image], gap: int) -> Image.Image:
    side = pictures[0].height
    row = Image.new("RGBA", (len(pictures) * (side + gap) - gap, side), (0, 0, 0, 0))
    for number, picture in enumerate(pictures):
        row.paste(picture, (number * (side + gap), 0))
    return row


class _Blocks:
    """Two pixels a character, one above the other."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def draw(
        self, image: bytes, neighbours: Sequence[Neighbour], thumbnails: Sequence[bytes]
    ) -> None:
        fitting = max(1, (self._console.width + 1) // (_BLOCK_SIDE + 1))
        drawn = tiles(image, neighbours, thumbnails, _BLOCK_SIDE)[:fitting]
        pixels = np.asarray(_row(drawn, 1)).tolist()
        for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
            line = [_block(*pair) for pair in zip(upper, lower, strict=True)]
            self._console.print(Segments([*line, Segment.line()]), end="", soft_wrap=True)


def _block(upper: list[int], lower: list[int]) -> Segment:
    """A character of two pixels, each red, green, blue and opacity."""
    if not upper[3]:
        return Segment(" ")
    colours = Color.from_rgb(*upper[:3]), Color.from_rgb(*lower[:3])
    return Segment("▀", Style(color=colours[0], bgcolor=colours[1]))


class _Inline:
    """A PNG within an escape sequence."""

    def __init__(self, console: Console, way: Way) -> None:
        self._console, self._way = console, way

    def draw(
        self, image: bytes, neighbours: Sequence[Neighbour], thumbnails: Sequence[bytes]
    ) -> None:
        fitting = max(1, self._console.width * _CHARACTER // (_IMAGE_SIDE + 4))
        png = io.BytesIO()
        _row(tiles(image, neighbours, thumbnails, _IMAGE_SIDE)[:fitting], 4).save(png, "PNG")
        file = self._console.file
        file.write(_escaped(png.getvalue(), self._way) + "\n")
        file.flush()


def _escaped(png: bytes, way: Way) -> str:
    """A picture in a terminal's protocol.

    kitty: sw.kovidgoyal.net/kitty/graphics-protocol; iTerm2: iterm2.com/documentation-images.html.
    """
    encoded = base64.b64encode(png).decode("ascii")
    if way == "iterm2":
        return f"\033]1337;File=inline=1;size={len(png)}:{encoded}\a"
    chunks = [encoded[i : i + _KITTY_CHUNK] for i in range(0, len(encoded), _KITTY_CHUNK)]
    parts = []
    for number, chunk in enumerate(chunks):
        first = "a=T,f=100," if not number else ""
        parts.append(f"\033_G{first}m={int(number < len(chunks) - 1)};{chunk}\033\\")
    return "".join(parts)
