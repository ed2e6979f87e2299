"""Draws curved surfaces, with hidden ones removed, into a picture with transparency.

Surfaces are dense grids of points (`surfaces.py`). The points are projected into a depth buffer
that is finer than the image, and only the visible ones are shaded (`shading.py`). What the surfaces
show is not decided here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from components.synthetic_flowers.colours import Floats
from components.synthetic_flowers.shading import EMPTY, occlusion, shade
from components.synthetic_flowers.surfaces import Layer, Light, Part

# A key of the depth buffer holds depth above, number of the point below.
_ID_BITS = 26
_DEPTH_STEPS = 16.0  # per pixel
_LOWEST = 65536.0  # added, so that what lies below the picture's plane has a positive key


def render(
    parts: Sequence[Part],
    height: int,
    width: int,
    light: Light,
    *,
    fineness: int = 2,
    reach: float = 6.0,
) -> Layer:
    """Draws parts with hidden surfaces removed.

    Args:
        parts: What to draw.
        height: Rows H of the picture.
        width: Columns W.
        light: How it is lit.
        fineness: Subpixels to a side of a pixel.
        reach: How far shadows fall, in pixels.

    Returns:
        The picture, averaged over subpixels.

    Raises:
        ValueError: More points than can be numbered (67 million).
    """
    if sum(part.points for part in parts) >= 1 << _ID_BITS:
        raise ValueError("too many points to draw; the image is too large")
    # The margin holds what lies beside the picture and throws a shadow into it. In its outermost
    # cells, from which no shadow reaches the picture, all points farther outside gather.
    margin = int(reach) + 3
    rows, columns = (height + 2 * margin) * fineness, (width + 2 * margin) * fineness
    keys = np.zeros(rows * columns, np.int64)
    start = 1
    for part in parts:
        _project(part, keys, rows, columns, fineness, margin, start)
        start += part.points
    keys = _closed(keys.reshape(rows, columns)).ravel()
    cells = np.flatnonzero(keys)
    visible = keys[cells]
    ids = (visible & ((1 << _ID_BITS) - 1)).astype(np.int32)
    level = (visible >> _ID_BITS).astype(np.float32) * np.float32(1.0 / _DEPTH_STEPS)
    depth = np.full(rows * columns, EMPTY, np.float32)
    depth[cells] = level
    lit, seen = occlusion(depth, level, cells, columns, light, fineness, reach)
    shaded = shade(parts, ids, light, lit, seen)

    # Average over the subpixels of each pixel, in a fixed order of addition.
    row, column = np.divmod(cells, columns)
    row, column = row // fineness - margin, column // fineness - margin
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    pixel = (row * width + column)[inside]
    share = 1.0 / fineness**2

    def picture(values: Floats | None) -> Floats:
        weights = None if values is None else values[inside]
        total = np.bincount(pixel, weights, minlength=height * width) * share
        return total.reshape(height, width).astype(np.float32)

    return Layer(np.stack([picture(channel) for channel in shaded], axis=-1), picture(None))


def _project(
    part: Part,
    keys: npt.NDArray[np.int64],
    rows: int,
    columns: int,
    fineness: int,
    margin: int,
    start: int,
) -> None:
    """Enters the points of a part into the depth buffer; the nearest to the viewer stays."""
    to_fine = np.array([fineness, fineness, _DEPTH_STEPS], np.float32)
    origin = np.array([margin * fineness, margin * fineness, _LOWEST], np.float32)
    matrix = part.rotation * part.scale[:, None, :] * to_fine[:, None]
    offset = part.offset * to_fine + origin
    column, row, level = (
        matrix[:, axis, 0:1] * part.sheet.position[0]
        + matrix[:, axis, 1:2] * part.sheet.position[1]
        + (matrix[:, axis, 2:3] * part.sheet.position[2] + offset[:, axis : axis + 1])
        for axis in range(3)
    )
    cell = np.clip(row, 0.0, rows - 1.0, out=row).astype(np.int64)
    cell *= columns
    cell += np.clip(column, 0.0, columns - 1.0, out=column).astype(np.int64)
    key = np.maximum(level, 1.0, out=level).astype(np.int64)
    key <<= _ID_BITS
    key += np.arange(start, start + part.points).reshape(key.shape)
    np.maximum.at(keys, cell.ravel(), key.ravel())


def _closed(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Closes gaps of one subpixel, which points leave in a surface that is stretched."""
    closed = keys.copy()
    beside, above = closed[:, 1:-1], closed[1:-1]
    np.maximum(beside, np.minimum(keys[:, :-2], keys[:, 2:]), out=beside)
    np.maximum(above, np.minimum(keys[:-2], keys[2:]), out=above)
    return closed
