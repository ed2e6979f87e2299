"""What `rendering.py` draws and returns: surfaces, their placements, the light, and layers.

Camera space: x to the right, y down, z towards the viewer, all in pixels of the image.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from components.synthetic_flowers.colours import Floats


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
