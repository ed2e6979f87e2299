"""Flower colours as hue, saturation and value, and the way to linear light and back.

Light is added up and shaded in linear RGB. The transfer curve is a plain square in place of sRGB's
power law: close enough to the eye, and exactly rounded on every machine.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from components.synthetic_flowers.streams import between

Floats = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Colour:
    """A colour in HSV, each 0 … 1; the hue wraps around."""

    hue: float
    saturation: float
    value: float

    def shifted(self, hue: float, saturation: float = 1.0, value: float = 1.0) -> Colour:
        """Returns the colour with its hue moved, its saturation and value multiplied."""
        return Colour(
            (self.hue + hue) % 1.0,
            min(max(self.saturation * saturation, 0.0), 1.0),
            min(max(self.value * value, 0.0), 1.0),
        )

    def linear(self) -> Floats:
        """Returns linear RGB, float32 [3]."""
        sector = (self.hue % 1.0) * 6.0
        levels = []
        for offset in (5.0, 3.0, 1.0):
            k = (offset + sector) % 6.0
            level = self.value * (1.0 - self.saturation * max(0.0, min(k, 4.0 - k, 1.0)))
            # Even deep colours reflect a little of everything.
            levels.append(0.96 * level * level + 0.015)
        return np.array(levels, np.float32)

    def distance(self, other: Colour) -> float:
        """Returns how different two colours look: 0 (equal) to about 1.7, in display RGB."""
        return float(np.sqrt(((np.sqrt(self.linear()) - np.sqrt(other.linear())) ** 2).sum()))


@dataclasses.dataclass(frozen=True)
class Family:
    """A named range of colours that petals have.

    Attributes:
        names: Words for it, used in species names.
        hue: Range; above 1 it wraps around.
        saturation: Range.
        value: Range.
    """

    names: tuple[str, ...]
    hue: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]

    def draw(self, rng: np.random.Generator) -> Colour:
        """Draws one colour of the family."""
        return Colour(
            between(rng, self.hue) % 1.0, between(rng, self.saturation), between(rng, self.value)
        )


FAMILIES = (
    Family(("white", "snowy", "milky"), (0.08, 0.20), (0.00, 0.06), (0.93, 0.98)),
    Family(("cream", "ivory", "buttery"), (0.12, 0.15), (0.18, 0.32), (0.93, 0.98)),
    Family(("yellow", "golden", "sunny"), (0.135, 0.155), (0.80, 0.95), (0.92, 0.98)),
    Family(("orange", "amber", "tangerine"), (0.065, 0.095), (0.85, 0.98), (0.92, 0.98)),
    Family(("salmon", "apricot", "coral"), (0.02, 0.05), (0.45, 0.62), (0.90, 0.97)),
    Family(("red", "scarlet", "ruby"), (0.975, 1.005), (0.82, 0.95), (0.72, 0.88)),
    Family(("crimson", "wine", "garnet"), (0.94, 0.975), (0.78, 0.92), (0.45, 0.60)),
    Family(("pink", "rosy", "blushing"), (0.91, 0.96), (0.28, 0.50), (0.90, 0.98)),
    Family(("magenta", "fuchsia", "cerise"), (0.86, 0.90), (0.65, 0.85), (0.75, 0.92)),
    Family(("lilac", "mauve", "lavender"), (0.74, 0.79), (0.25, 0.42), (0.84, 0.94)),
    Family(("purple", "plum", "royal"), (0.76, 0.81), (0.60, 0.78), (0.50, 0.68)),
    Family(("violet", "indigo", "twilight"), (0.69, 0.73), (0.55, 0.75), (0.60, 0.80)),
    Family(("blue", "azure", "sapphire"), (0.60, 0.65), (0.50, 0.75), (0.75, 0.92)),
)


def to_display(linear: Floats) -> npt.NDArray[np.uint8]:
    """Turns linear light into display values: shoulder for the highlights, square root, 8 bits.

    Args:
        linear: RGB of any shape; 1 is white in full light.

    Returns:
        uint8 of the same shape.
    """
    light = np.maximum(linear, np.float32(0.0))
    white = np.float32(1.9)  # What is this bright becomes 1.
    shoulder = light * (1.0 + light / (white * white)) / (1.0 + np.float32(0.18) * light)
    scale = np.float32((1.0 + 0.18 * 1.0) / (1.0 + 1.0 / 1.9**2))
    shown = np.sqrt(np.minimum(shoulder * scale, np.float32(1.0)))
    return (shown * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)
