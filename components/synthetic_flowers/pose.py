"""Where a blossom is, how it is turned and in what state it is."""

from __future__ import annotations

import dataclasses

import numpy as np

from components.synthetic_flowers.geometry import Doubles
from components.synthetic_flowers.surfaces import Part, Sheet


@dataclasses.dataclass(frozen=True)
class Pose:
    """Where a blossom is, where it looks and in what state it is.

    Attributes:
        x: Column of its middle, in pixels.
        y: Row of its middle.
        radius: Length of its petals, in pixels.
        axis: Unit vector that it faces, in camera space.
        roll: Turn about that axis, in radians.
        opening: 0.3 (hardly open) … 1 (open).
        hue_shift: Added to every petal's hue.
        missing: Share of petals that have fallen.
        fading: How far the petals are bleached by age, 0 … 1.
    """

    x: float
    y: float
    radius: float
    axis: tuple[float, float, float]
    roll: float
    opening: float
    hue_shift: float
    missing: float
    fading: float


def place(sheet: Sheet, pose: Pose, rotation: Doubles, scale: Doubles, tint: Doubles) -> Part:
    """Puts P copies of a sheet, given in units of the radius, at a blossom's middle."""
    count = len(rotation)
    return Part(
        sheet=sheet,
        rotation=rotation.astype(np.float32),
        scale=(scale * pose.radius).astype(np.float32),
        offset=np.tile(np.array([pose.x, pose.y, 0.0], np.float32), (count, 1)),
        tint=np.broadcast_to(tint, (count, 3)).astype(np.float32),
    )
