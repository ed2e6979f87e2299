"""Smooth random fields and soft steps, the stuff of backdrops and petal textures.

No transcendental function is applied to float32 arrays anywhere in this folder: their last bit
depends on the processor, and images must not.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from components.synthetic_flowers.colours import Floats


def enlarge(field: Floats, height: int, width: int) -> Floats:
    """Brings [h, w] or [h, w, C] to a larger size, smoothly."""
    return _resample(field, height, width, Image.Resampling.BICUBIC)


def blur(field: Floats, radius: float) -> Floats:
    """Blurs [h, w] or [h, w, C] of values >= 0 by about `radius` pixels, if it is half a pixel.

    Goes down to a coarse grid and up again: the cost does not grow with the radius.
    """
    if radius < 0.5:
        return field
    height, width = field.shape[:2]
    rows, columns = (max(4, round(side / (0.7 * radius + 0.65))) for side in (height, width))
    # A triangle on the way down: a filter with negative lobes would draw a dark rim around things.
    coarse = _resample(field, rows, columns, Image.Resampling.BILINEAR)
    # Without this the coarse grid would show.
    for axis in (0, 1):
        first, last = (np.take(coarse, [index], axis) for index in (0, -1))
        wide = np.concatenate([first, coarse, last], axis)
        count = coarse.shape[axis]
        left, right = (np.take(wide, np.arange(n, n + count), axis) for n in (0, 2))
        coarse = coarse * np.float32(0.5) + (left + right) * np.float32(0.25)
    return np.maximum(_resample(coarse, height, width, Image.Resampling.BICUBIC), 0.0)


def _resample(field: Floats, height: int, width: int, how: Image.Resampling) -> Floats:
    if field.ndim == 3:
        channels = [_resample(field[..., c], height, width, how) for c in range(field.shape[2])]
        return np.stack(channels, axis=-1)
    image = Image.fromarray(np.ascontiguousarray(field, np.float32))
    return np.asarray(image.resize((width, height), how))


def noise(
    rng: np.random.Generator,
    height: int,
    width: int,
    cell: float,
    octaves: int = 1,
    stretch: float = 1.0,
) -> Floats:
    """Draws a smooth field with mean near 0 and most values in -1 … 1.

    Args:
        rng: Source of randomness.
        height: Rows H.
        width: Columns W.
        cell: Size in pixels of the largest bumps.
        octaves: How many finer copies are added, each half as large and 0.55 as strong.
        stretch: How much wider than high the bumps are.

    Returns:
        float32 [H, W].
    """
    total = np.zeros((height, width), np.float32)
    strength = 1.0
    for _ in range(octaves):
        rows = max(2, round(height / cell) + 2)
        columns = max(2, round(width / (cell * stretch)) + 2)
        coarse = rng.random((rows, columns), np.float32) * np.float32(2.0) - np.float32(1.0)
        total += enlarge(coarse, height, width) * np.float32(strength)
        cell, strength = max(cell / 2.0, 1.0), strength * 0.55
    return total


def step(low: float, high: float, value: Floats) -> Floats:
    """Returns 0 below `low`, 1 above `high`, and a smooth cubic in between; `high` may be lower."""
    x = np.clip((value - low) * np.float32(1.0 / (high - low)), 0.0, 1.0)
    return x * x * (np.float32(3.0) - np.float32(2.0) * x)


def mix(first: Floats, second: Floats, share: Floats | float) -> Floats:
    """Returns `first` where share is 0 and `second` where it is 1."""
    return first + (second - first) * share
