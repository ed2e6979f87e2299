"""Leaves: their shape, their paint, and many of them at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from components.synthetic_flowers.colours import Colour
from components.synthetic_flowers.geometry import frames, normals
from components.synthetic_flowers.noise import noise, step
from components.synthetic_flowers.petals import DENSITY, grid, outline
from components.synthetic_flowers.species import Leaf
from components.synthetic_flowers.streams import between
from components.synthetic_flowers.surfaces import Part, Sheet


def any_leaf(rng: np.random.Generator) -> Leaf:
    """Draws a leaf of some other plant, which says nothing about the blossom's species."""
    return Leaf(
        width=between(rng, (0.06, 0.36)),
        tip=between(rng, (0.5, 1.3)),
        teeth=0.0,
        colour=Colour(between(rng, (0.19, 0.40)), between(rng, (0.35, 0.75)), 0.5),
        vein=between(rng, (0.1, 0.5)),
    )


def leaf_sheet(rng: np.random.Generator, leaf: Leaf, pixels: float, hue_shift: float) -> Sheet:
    """Shapes and paints a leaf of length 1.

    Args:
        rng: Source of what differs between leaves.
        leaf: The species' leaf.
        pixels: Length of the leaf in subpixels.
        hue_shift: Added to the hue.

    Returns:
        The leaf in the frame (along, sideways, up), from its stalk at the origin.
    """
    rows = max(6, round(DENSITY * pixels))
    columns = max(5, round(DENSITY * 2.0 * leaf.width * pixels))
    s, t = grid(rows, columns)
    half = leaf.width * outline(s, 0.55, leaf.tip)
    if leaf.teeth:
        half = half * (1.0 + leaf.teeth * (np.abs(((s * 9.0) % 1.0) * 2.0 - 1.0) - 0.5))
    droop = np.deg2rad(30.0 - 80.0 * float(rng.random()) * s)
    stride = 1.0 / rows
    fold = 0.35 * np.abs(t) * half + 0.02 * np.sin(s * 14.0) * np.abs(t)
    position = np.stack(
        [
            np.broadcast_to(np.cumsum(np.cos(droop), axis=0) * stride, (rows, columns)),
            np.broadcast_to(t * half, (rows, columns)),
            np.cumsum(np.sin(droop), axis=0) * stride + fold,
        ]
    ).astype(np.float32)
    s32, t32 = s.astype(np.float32), t.astype(np.float32)
    side = np.abs(t32)
    slanted = s32 * np.float32(8.0) - side * np.float32(2.2)
    ridge = np.abs(slanted - np.floor(slanted) - np.float32(0.5)) * np.float32(2.0)
    veins = step(0.75, 1.0, ridge) * np.float32(0.35) + step(0.14, 0.03, side) * np.float32(0.8)
    grain = noise(rng, rows, columns, max(rows / 4.0, 2.0), octaves=2)
    base = leaf.colour.shifted(hue_shift).linear()[:, None, None]
    colour = base * (np.float32(1.0) + grain * np.float32(0.2))
    colour = colour * (np.float32(1.0) + veins * np.float32(leaf.vein))
    return Sheet(
        position=position.reshape(3, -1),
        normal=normals(position).reshape(3, -1),
        colour=np.ascontiguousarray(np.broadcast_to(colour, (3, rows, columns))).reshape(3, -1),
        translucency=0.35,
        gloss=0.12,
    )


def leaf_parts(
    rng: np.random.Generator,
    leaf: Leaf,
    places: npt.ArrayLike,
    length: float,
    fineness: int,
    *,
    depth: float = 0.0,
) -> Part:
    """Puts leaves at places, each turned its own way.

    Args:
        rng: Source of randomness.
        leaf: Shape and colour.
        places: Where their stalks are, in pixels, float [P, 2].
        length: Their length in pixels.
        fineness: Subpixels to a side of a pixel.
        depth: How far they reach back, in pixels.
    """
    places = np.asarray(places)
    count = len(places)
    sheet = leaf_sheet(rng, leaf, length * fineness, between(rng, (-0.02, 0.02)))
    facing = rng.normal(0.0, 0.5, (count, 3)) * (1.0, 1.0, 0.0) + (0.0, -0.3, 0.9)
    rotation = frames(facing, rng.random(count) * 2.0 * np.pi)
    size = length * (0.6 + 0.5 * rng.random((count, 1)))
    behind = -depth * rng.random((count, 1))
    # What lies deep gets less light from between the leaves above it.
    shade = 1.0 + 0.75 * behind / depth if depth else np.ones((count, 1))
    tint = shade * (1.0 + rng.normal(0.0, 0.12, (count, 1)) + rng.normal(0.0, 0.05, (count, 3)))
    return Part(
        sheet=sheet,
        rotation=rotation.astype(np.float32),
        scale=np.repeat(size, 3, axis=1).astype(np.float32),
        offset=np.concatenate([places, behind], axis=1).astype(np.float32),
        tint=np.maximum(tint, 0.05).astype(np.float32),
    )
