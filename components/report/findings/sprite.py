"""Many images in one picture, as square tiles side by side: what the map shows at a point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageOps

from components.report.findings.pictures import encode, opened

TILES = (64, 56, 48, 40, 32, 24, 16)
# Browsers on phones refuse larger pictures.
MAX_PIXELS = 12_000_000
# A picture of so many of the images tells how large that of all will be.
_SAMPLE = 256


class Sprite(NamedTuple):
    """Tiles row by row.

    Attributes:
        picture: WebP.
        tile: Side of a tile in pixels.
        columns: Tiles in a row.
    """

    picture: bytes
    tile: int
    columns: int


def sprite(thumbnails: Sequence[bytes], max_bytes: float) -> Sprite | None:
    """The middle square of each thumbnail, in the largest tiles with which the whole is allowed.

    Args:
        thumbnails: JPEG bytes.
        max_bytes: Of the picture.

    Returns:
        None if even the smallest tiles take more, or there is no thumbnail.
    """
    if not thumbnails:
        return None
    sample = thumbnails[:: max(1, len(thumbnails) // _SAMPLE)]
    # Larger tiles than the thumbnails would only repeat their pixels.
    largest = max(min(opened(thumbnail, TILES[0]).size) for thumbnail in sample)
    for tile in TILES:
        columns = math.ceil(math.sqrt(len(thumbnails)))
        pixels = columns * math.ceil(len(thumbnails) / columns) * tile * tile
        if pixels > MAX_PIXELS or (tile > largest and tile != TILES[-1]):
            continue
        if len(sample) < len(thumbnails):
            expected = len(encode(_tiles(sample, tile, columns))) * len(thumbnails) / len(sample)
            if expected > max_bytes:
                continue
        picture = encode(_tiles(thumbnails, tile, columns))
        if len(picture) <= max_bytes:
            return Sprite(picture, tile, columns)
    return None


def _tiles(thumbnails: Sequence[bytes], tile: int, columns: int) -> Image.Image:
    whole = Image.new("RGB", (columns * tile, math.ceil(len(thumbnails) / columns) * tile))
    for place, thumbnail in enumerate(thumbnails):
        row, column = divmod(place, columns)
        square = ImageOps.fit(opened(thumbnail, tile), (tile, tile))
        whole.paste(square, (column * tile, row * tile))
    return whole
