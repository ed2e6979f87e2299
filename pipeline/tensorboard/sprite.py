"""One picture of many thumbnails, row by row in tiles of one size."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from PIL import Image

# What browsers draw at most, and what they do with ease.
MOST_PIXELS = 8192
EASY_PIXELS = 4096
LARGEST_TILE = 64
# Below this a picture is no more to be made out, and the sheet rather grows.
SMALLEST_EASY_TILE = 32


def tile_size(count: int) -> int:
    """Returns the side of the tiles of `count` pictures, in pixels.

    Raises:
        ValueError: More pictures than pixels.
    """
    columns = columns_of(count)
    if columns > MOST_PIXELS:
        raise ValueError(f"{count} pictures do not fit into {MOST_PIXELS} pixels a side")
    easy = min(LARGEST_TILE, EASY_PIXELS // columns)
    return max(easy, min(SMALLEST_EASY_TILE, MOST_PIXELS // columns))


def columns_of(count: int) -> int:
    """Returns how many tiles are in a row; the projector takes the sheet to be square."""
    return max(math.ceil(math.sqrt(count)), 1)


def draw_sprite(thumbnails: Sequence[bytes]) -> tuple[Image.Image, int]:
    """Draws the sheet.

    Args:
        thumbnails: Encoded pictures of any size; each is cut to its middle square.

    Returns:
        The sheet, and the side of its tiles in pixels.
    """
    tile, columns = tile_size(len(thumbnails)), columns_of(len(thumbnails))
    sheet = Image.new("RGB", (columns * tile, columns * tile))
    for number, encoded in enumerate(thumbnails):
        place = (number % columns * tile, number // columns * tile)
        sheet.paste(_square(encoded, tile), place)
    return sheet, tile


def _square(encoded: bytes, side: int) -> Image.Image:
    with Image.open(io.BytesIO(encoded)) as picture:
        small = min(picture.size)
        left, top = ((length - small) / 2 for length in picture.size)
        box = (left, top, left + small, top + small)
        return picture.convert("RGB").resize((side, side), Image.Resampling.BILINEAR, box=box)
