"""Light on what is visible: shadows, ambient light, light that shines through, highlights.

Works on visible points only; which these are is found in `rendering.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from components.synthetic_flowers.colours import Floats
from components.synthetic_flowers.surfaces import Light, Part

# Depth of the buffer where nothing was drawn.
EMPTY = -1.0e6


def occlusion(
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
    # Large pictures need more steps, or the shadow falls apart into stripes.
    steps = max(5, round(reach * fineness / 6.0))
    for number in range(1, steps + 1):
        length = reach * (number / steps) ** 1.5
        dx = round(light.direction[0] / across * length * fineness)
        dy = round(light.direction[1] / across * length * fineness)
        rise = min(light.direction[2] / across, 3.0) * length
        # The tolerance keeps a sloping surface from shading itself.
        ray = level + np.float32(rise + 0.08 * length + 0.15)
        higher = depth.take(cells + (dy * columns + dx), mode="clip") - ray
        blocked = np.minimum(np.maximum(higher * np.float32(1.5), 0.0), 1.0)
        blocked *= higher < np.float32(3.0 * reach)
        lit -= blocked * np.float32(2.25 / steps * (1.0 - light.softness))
    around = max(1, round(0.5 * reach * fineness))
    for offset in (around, -around, around * columns, -around * columns):
        higher = depth.take(cells + offset, mode="clip") - level
        hidden = np.minimum(np.maximum(higher * np.float32(1.0 / reach), 0.0), 1.0)
        hidden *= higher < np.float32(4.0 * reach)
        seen -= hidden * np.float32(0.2)
    return np.maximum(lit, np.float32(0.15)), np.maximum(seen, np.float32(0.2))


def shade(
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
