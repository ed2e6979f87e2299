"""Small round things of which centres, stems and grass are made."""

from __future__ import annotations

import numpy as np

from components.synthetic_flowers.colours import Floats
from components.synthetic_flowers.geometry import cross, normals
from components.synthetic_flowers.surfaces import Sheet


def bead(pixels: float, colour: Floats, gloss: float = 0.1) -> Sheet:
    """Returns the upper three quarters of a ball of radius 1.

    Args:
        pixels: Its radius in subpixels.
        colour: Linear RGB, float32 [3].
        gloss: Strength of the highlight.
    """
    around = max(6, round(5.0 * pixels))
    down = max(3, round(2.2 * pixels))
    # Rows closer to the pole have the same number of points: simple, and small balls are cheap.
    polar = ((np.arange(down) + 0.5) / down * 2.1)[:, None]
    turn = (np.arange(around) / around * 2.0 * np.pi)[None, :]
    position = np.stack(
        [np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar) + 0.0 * turn]
    ).astype(np.float32)
    flat = position.reshape(3, -1)
    return Sheet(flat, flat, _plain(colour, flat.shape[1]), translucency=0.1, gloss=gloss)


def tube(path: np.ndarray, radius: np.ndarray, pixels: float, colour: Floats) -> Sheet:
    """Returns a round thread along a path, with its true normals.

    Args:
        path: float64 [N, 3], points of the middle line, far enough apart to give directions.
        radius: float64 [N], thickness along the path, in the same units.
        pixels: Subpixels in a unit.
        colour: Linear RGB, float32 [3], or float32 [3, N] along the path.
    """
    length = np.sqrt((np.diff(path, axis=0) ** 2).sum(axis=1)).sum()
    rows = max(3, round(1.3 * length * pixels))
    columns = max(4, round(8.0 * float(radius.max()) * pixels))
    at = np.linspace(0.0, len(path) - 1.0, rows)
    knots = np.arange(len(path))
    line = np.stack([np.interp(at, knots, path[:, axis]) for axis in range(3)])
    thick = np.interp(at, knots, radius)[:, None]
    along = np.gradient(line, axis=1)
    along /= np.maximum(np.sqrt((along**2).sum(axis=0)), 1e-12)
    # Any vector that is not parallel to the path starts the frame around it.
    helper = np.eye(3)[np.argmin(np.abs(along.mean(axis=1)))]
    first = cross(along, helper[:, None])
    first /= np.maximum(np.sqrt((first**2).sum(axis=0)), 1e-12)
    second = cross(along, first)
    turn = (np.arange(columns) / columns * 2.0 * np.pi)[None, :]
    normal = first[:, :, None] * np.cos(turn) + second[:, :, None] * np.sin(turn)
    position = line[:, :, None] + normal * thick
    shades = np.asarray(colour, np.float32).reshape(3, -1)
    if shades.shape[1] > 1:
        shades = np.stack([np.interp(at, knots, shade) for shade in shades]).astype(np.float32)
    painted = np.broadcast_to(shades[:, :, None], position.shape)
    return Sheet(
        position.reshape(3, -1).astype(np.float32),
        normal.reshape(3, -1).astype(np.float32),
        np.ascontiguousarray(painted.reshape(3, -1)),
        translucency=0.2,
        gloss=0.1,
    )


def trumpet(
    rng: np.random.Generator, length: float, width: float, pixels: float, colour: Floats
) -> Sheet:
    """Returns a flaring cup with a wavy rim around the axis.

    Args:
        rng: Source of the waves.
        length: Along the axis.
        width: Radius of the mouth.
        pixels: Subpixels in a unit.
        colour: Linear RGB, float32 [3]; deeper inside it is darker.
    """
    rows = max(5, round(1.3 * (length + 0.4 * width) * pixels))
    columns = max(12, round(1.25 * 6.3 * width * pixels))
    s = ((np.arange(rows) + 0.5) / rows)[:, None]
    turn = (np.arange(columns) / columns * 2.0 * np.pi)[None, :]
    waves = np.sin(turn * 9.0 + float(rng.random()) * 6.0) + np.sin(turn * 6.0) * 0.6
    mouth = width * (0.55 + 0.3 * s + 0.15 * s**6) * (1.0 + 0.06 * waves * s**4)
    up = length * (s - 0.06 * waves * s**6) * np.ones_like(turn)
    position = np.stack([mouth * np.cos(turn), mouth * np.sin(turn), up]).astype(np.float32)
    depth = (0.45 + 0.55 * s).astype(np.float32)
    painted = colour[:, None, None] * np.broadcast_to(depth, (rows, columns))
    return Sheet(
        position.reshape(3, -1),
        normals(position).reshape(3, -1),
        np.ascontiguousarray(painted.reshape(3, -1)),
        translucency=0.5,
        gloss=0.1,
    )


def _plain(colour: Floats, points: int) -> Floats:
    return np.repeat(colour[:, None], points, axis=1)
