"""Stems and blades of grass."""

from __future__ import annotations

import numpy as np

from components.synthetic_flowers.colours import Colour
from components.synthetic_flowers.solids import tube
from components.synthetic_flowers.streams import between
from components.synthetic_flowers.surfaces import Part


def blade_parts(
    rng: np.random.Generator,
    count: int,
    height: int,
    width: int,
    thickness: float,
    fineness: int,
    colour: Colour,
) -> list[Part]:
    """Grows grass from below the picture.

    Args:
        rng: Source of randomness.
        count: How many blades.
        height: Rows of the picture.
        width: Its columns.
        thickness: Half width of a blade in pixels.
        fineness: Subpixels to a side of a pixel.
        colour: Of the grass.
    """
    parts = []
    kinds = 3 if count > 6 else 1
    for kind in range(kinds):
        bow = between(rng, (-0.5, 0.5))
        path = np.array([[0.0, 0.0, 0.0], [0.1 * bow, -0.4, 0.03], [bow * 0.45, -0.8, 0.03]])
        path = np.concatenate([path, [[bow, -1.0, 0.0]]])
        radius = np.array([1.0, 0.9, 0.6, 0.1]) * thickness / height
        blade = tube(path, radius, height * fineness, colour.linear())
        mine = len(range(kind, count, kinds))
        lean = rng.normal(0.0, 0.3, mine)
        c, s = np.cos(lean), np.sin(lean)
        zero, one = np.zeros(mine), np.ones(mine)
        rotation = np.stack([c, -s, zero, s, c, zero, zero, zero, one], axis=-1)
        size = height * (0.4 + 0.9 * rng.random((mine, 1)))
        start = np.stack(
            [
                width * (1.3 * rng.random(mine) - 0.15),
                height * (1.02 + 0.1 * rng.random(mine)),
                -0.6 * height * rng.random(mine),
            ],
            axis=1,
        )
        shade = 1.0 + 0.9 * start[:, 2:] / height
        tint = shade * (1.0 + rng.normal(0, 0.15, (mine, 1)) + rng.normal(0, 0.06, (mine, 3)))
        parts.append(
            Part(
                sheet=blade,
                rotation=rotation.reshape(-1, 3, 3).astype(np.float32),
                scale=np.repeat(size, 3, axis=1).astype(np.float32),
                offset=start.astype(np.float32),
                tint=np.maximum(tint, 0.05).astype(np.float32),
            )
        )
    return parts


def stem_part(
    rng: np.random.Generator,
    top: tuple[float, float],
    axis: tuple[float, float, float],
    foot: tuple[float, float],
    thickness: float,
    fineness: int,
    colour: Colour,
) -> Part:
    """Draws a stem from a blossom's back to its foot, in a bow.

    Args:
        rng: Source of randomness.
        top: Column and row of the blossom's middle.
        axis: Where the blossom faces; the stem leaves it the other way.
        foot: Column and row where the stem ends, mostly below the picture.
        thickness: Its radius in pixels.
        fineness: Subpixels to a side of a pixel.
        colour: Its green.
    """
    reach = 0.35 * float(np.hypot(foot[0] - top[0], foot[1] - top[1]))
    start = np.array([top[0], top[1], 0.0])
    end = np.array([foot[0], foot[1], -0.2 * reach])
    leaving = start - np.array(axis) * reach
    arriving = end + np.array([float(rng.normal(0.0, 0.15)) * reach, -reach, 0.0])
    at = np.linspace(0.0, 1.0, 12)[:, None]
    path = (
        (1 - at) ** 3 * start
        + 3 * (1 - at) ** 2 * at * leaving
        + 3 * (1 - at) * at**2 * arriving
        + at**3 * end
    )
    sheet = tube(path, np.full(12, thickness), float(fineness), colour.linear())
    one = np.ones((1, 3), np.float32)
    return Part(sheet, np.eye(3, dtype=np.float32)[None], one, one * 0, one)
