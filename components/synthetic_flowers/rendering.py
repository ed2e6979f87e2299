"""Draws curved surfaces with light, shadow and occlusion: the camera of this folder.

A surface is a dense grid of points (`Sheet`), placed many times (`Part`). Points are projected
into a depth buffer that is finer than the image, and only the visible ones are shaded. What the
surfaces show is not decided here.

Camera space: x to the right, y down, z towards the viewer, all in pixels of the image.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from components.synthetic_flowers.colours import Floats

# A key of the depth buffer holds depth above, number of the point below.
_ID_BITS = 26
_DEPTH_STEPS = 16.0  # per pixel
_LOWEST = 65536.0  # added, so that what lies below the picture's plane has a positive key
_EMPTY = -1.0e6


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A surface as a cloud of G points, dense enough to leave no holes.

    Attributes:
        position: float32 [3, G].
        normal: float32 [3, N], unit length; which side it points to does not matter.
        colour: float32 [3, N], linear reflectance.
        cell: int32 [G], which normal and colour a point has; None where N = G, in order.
        translucency: Share of the light from behind that comes through.
        gloss: Strength of the highlight.
        back: How far the far side of the surface is bleached, 0 … 1.
    """

    position: Floats
    normal: Floats
    colour: Floats
    cell: npt.NDArray[np.int32] | None = None
    translucency: float = 0.0
    gloss: float = 0.0
    back: float = 0.0


@dataclasses.dataclass(frozen=True)
class Part:
    """P placements of one sheet in camera space.

    Attributes:
        sheet: What is placed.
        rotation: float32 [P, 3, 3], rows are the camera's axes.
        scale: float32 [P, 3], along the sheet's axes, applied first.
        offset: float32 [P, 3], in pixels.
        tint: float32 [P, 3], multiplies the colour.
    """

    sheet: Sheet
    rotation: Floats
    scale: Floats
    offset: Floats
    tint: Floats

    @property
    def points(self) -> int:
        """How many points all placements have together."""
        return self.sheet.position.shape[1] * len(self.rotation)


@dataclasses.dataclass(frozen=True)
class Light:
    """The sun and the sky.

    Attributes:
        direction: Unit vector towards the sun in camera space.
        sun: Linear RGB of the direct light.
        sky: Linear RGB of the light from all sides.
        softness: 0 for hard shadows … 1 for none.
    """

    direction: tuple[float, float, float]
    sun: Floats
    sky: Floats
    softness: float


@dataclasses.dataclass(frozen=True)
class Layer:
    """A picture with transparency.

    Attributes:
        colour: float32 [H, W, 3], linear, multiplied by alpha.
        alpha: float32 [H, W].
    """

    colour: Floats
    alpha: Floats


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
    """
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
    depth = np.full(rows * columns, _EMPTY, np.float32)
    depth[cells] = level
    lit, seen = _occlusion(depth, level, cells, columns, light, fineness, reach)
    shaded = _shade(parts, ids, light, lit, seen)

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


def _occlusion(
    depth: Floats,
    level: Floats,
    cells: npt.NDArray[np.int64],
    columns: int,
    light: Light,
    fineness: int,
    reach: float,
) -> tuple[Floats, Floats]:
    """Finds, from the depth buffer alone, what lies in shadow and what lies deep.

    Walks from each visible subpixel towards the sun; where the surface there is higher than the
    ray, but not so high that it is something else far in front, the ray is blocked.

    Args:
        depth: The buffer, float32 [rows * columns], in pixels.
        level: Its values at the visible subpixels, float32 [K].
        cells: Which these are, int64 [K].
        columns: Subpixels in a row.
        light: Where the sun is.
        fineness: Subpixels to a side of a pixel.
        reach: How far shadows fall, in pixels.

    Returns:
        Sun that arrives and sky that is seen, each 0 … 1, float32 [K].
    """
    lit = np.ones_like(level)
    seen = np.ones_like(level)
    across = max(float(np.sqrt(light.direction[0] ** 2 + light.direction[1] ** 2)), 1e-3)
    for share in (0.1, 0.22, 0.4, 0.65, 1.0):
        length = share * reach
        dx = round(light.direction[0] / across * length * fineness)
        dy = round(light.direction[1] / across * length * fineness)
        rise = min(light.direction[2] / across, 3.0) * length
        # The tolerance keeps a sloping surface from shading itself.
        ray = level + np.float32(rise + 0.08 * length + 0.15)
        higher = depth.take(cells + (dy * columns + dx), mode="clip") - ray
        blocked = np.minimum(np.maximum(higher * np.float32(1.5), 0.0), 1.0)
        blocked *= higher < np.float32(3.0 * reach)
        lit -= blocked * np.float32(0.45 * (1.0 - light.softness))
    around = max(1, round(0.5 * reach * fineness))
    for offset in (around, -around, around * columns, -around * columns):
        higher = depth.take(cells + offset, mode="clip") - level
        hidden = np.minimum(np.maximum(higher * np.float32(1.0 / reach), 0.0), 1.0)
        hidden *= higher < np.float32(4.0 * reach)
        seen -= hidden * np.float32(0.2)
    return np.maximum(lit, np.float32(0.15)), np.maximum(seen, np.float32(0.2))


def _shade(
    parts: Sequence[Part],
    ids: npt.NDArray[np.int32],
    light: Light,
    lit: Floats,
    seen: Floats,
) -> Floats:
    """Returns the light that comes from visible points, float32 [3, K]."""
    shaded = np.zeros((3, len(ids)), np.float32)
    start = 1
    for part in parts:
        chosen = np.flatnonzero((ids >= start) & (ids < start + part.points))
        if len(chosen):
            colour = _reflected(part, ids[chosen] - start, light, lit[chosen], seen[chosen])
            shaded[:, chosen] = colour
        start += part.points
    return shaded


def _reflected(
    part: Part, points: npt.NDArray[np.int32], light: Light, lit: Floats, seen: Floats
) -> Floats:
    """Returns the light that comes from K points of one part, float32 [3, K]."""
    sheet = part.sheet
    placement = points // np.int32(sheet.position.shape[1])
    point = points - placement * np.int32(sheet.position.shape[1])
    cell = point if sheet.cell is None else sheet.cell.take(point)
    x, y, z = light.direction
    # Directions of the sun, downwards and of the highlight, seen from each placement: turning
    # these few is cheaper than turning every normal.
    half = np.array([x, y, z + 1.0])
    half = half / max(float(np.sqrt((half * half).sum())), 1e-6)
    facing = part.rotation[:, 2, :]
    sunward = _along(part.rotation, (x, y, z))
    nx, ny, nz = (sheet.normal[axis].take(cell) for axis in range(3))

    def toward(directions: Floats) -> Floats:
        a, b, c = (directions[:, axis].take(placement) for axis in range(3))
        return nx * a + ny * b + nz * c

    side = np.where(toward(facing) < 0, np.float32(-1.0), np.float32(1.0))
    cosine = toward(sunward) * side
    direct = np.maximum(cosine * np.float32(0.8) + np.float32(0.2), 0.0) * lit
    if sheet.translucency:
        behind = np.maximum(-cosine, 0.0) * np.float32(sheet.translucency)
        direct += behind * (np.float32(0.3) + np.float32(0.7) * lit)
    down = toward(part.rotation[:, 1, :]) * side
    ambient = (np.float32(0.75) - np.float32(0.25) * down) * seen
    colour = [sheet.colour[c].take(cell) * part.tint[:, c].take(placement) for c in range(3)]
    if sheet.back:
        # Petals bend away from the viewer with their far side, which is paler.
        far = (side < 0) * np.float32(sheet.back)
        pale = np.maximum(np.maximum(colour[0], colour[1]), colour[2]) * np.float32(1.02)
        colour = [channel + (pale - channel) * far for channel in colour]
    result = np.stack(
        [colour[c] * (direct * light.sun[c] + ambient * light.sky[c]) for c in range(3)]
    )
    if sheet.gloss:
        highlight = _along(part.rotation, (float(half[0]), float(half[1]), float(half[2])))
        spot = np.maximum(toward(highlight) * side, 0.0)
        for _ in range(4):
            spot = spot * spot
        spot *= np.float32(sheet.gloss) * lit
        result += light.sun[:, None] * spot
    return result


def _along(rotation: Floats, direction: tuple[float, float, float]) -> Floats:
    """Returns a direction of camera space in each placement's own frame, float32 [P, 3]."""
    x, y, z = (np.float32(value) for value in direction)
    return rotation[:, 0, :] * x + rotation[:, 1, :] * y + rotation[:, 2, :] * z
