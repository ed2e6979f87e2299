"""The camera: exposure, white balance, lens, sensor noise, and JPEG."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.synthetic_flowers.colours import Floats, to_display
from components.synthetic_flowers.noise import blur
from components.synthetic_flowers.streams import between


def expose(rng: np.random.Generator, picture: Floats) -> npt.NDArray[np.uint8]:
    """Takes a photograph of linear light.

    Args:
        rng: Source of the camera's settings and noise.
        picture: Linear RGB, float32 [H, W, 3].

    Returns:
        RGB, uint8 [H, W, 3].
    """
    height, width = picture.shape[:2]
    size = min(height, width)
    shake = size * 0.012 * float(rng.random()) ** 3
    picture = blur(picture, shake)
    # The meter looks at the whole picture; the photographer corrects it more or less well.
    brightness = float(picture.mean(dtype=np.float64))
    stops = float(rng.normal(0.0, 0.3))
    gain = (0.27 / max(brightness, 0.02)) ** 0.6 * 2.0**stops
    # Nor does a camera burn out petals: orange would turn yellow, and pink white.
    values = picture[::2, ::2].max(axis=2).ravel()
    rank = int(0.97 * (len(values) - 1))
    gain = min(
        gain, 1.35 * 2.0 ** (0.5 * stops) / max(float(np.partition(values, rank)[rank]), 0.05)
    )
    balance = np.array(
        [gain * (1 + float(rng.normal(0, 0.05))), gain, gain * (1 + float(rng.normal(0, 0.07)))],
        np.float32,
    )
    picture = picture * balance
    saturation = np.float32(between(rng, (0.8, 1.12)))
    # Summed by hand: a matrix product may add in another order elsewhere.
    red, green, blue = (picture[..., channel] for channel in range(3))
    grey = red * np.float32(0.3) + green * np.float32(0.6) + blue * np.float32(0.1)
    picture = grey[..., None] + (picture - grey[..., None]) * saturation
    y = np.linspace(-1.0, 1.0, height, dtype=np.float32)[:, None]
    x = np.linspace(-1.0, 1.0, width, dtype=np.float32)[None, :]
    corner = np.float32(between(rng, (0.0, 0.22)))
    picture = picture * (np.float32(1.0) - corner * (x * x + y * y))[..., None]
    # Shot noise grows with the root of the light; a little of it always comes with the sensor.
    strength = np.float32(0.035 * float(rng.random()) ** 2 + 0.004)
    grain = rng.random(picture.shape, np.float32) + rng.random(picture.shape, np.float32)
    level = np.sqrt(np.maximum(picture, 0.0)) + np.float32(0.15)
    picture = picture + (grain - np.float32(1.0)) * strength * level
    return to_display(picture)


def encode_jpeg(pixels: npt.NDArray[np.uint8], quality: int) -> bytes:
    """Returns a JPEG of RGB pixels, uint8 [H, W, 3]."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()
