"""Random changes to training images: crop, mirror, colors, erasing.

Not for evaluation or serving: they use `images.to_network_input`, which is also what is left of
`augment` when everything is turned off.

Every decision takes a number of its own from one draw that depends on the seed alone, so that the
decisions are independent of each other and the same whatever else is turned on.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from trainer_module import images

# Width by height of a crop, in the photo: from upright 3:4 to wide 4:3.
MAX_ASPECT = 4 / 3

# Shares of a turn by which a color strength of 1 moves the hue. Less than a color circle's
# distance between yellow and red at usual strengths, since species differ in hue.
HUE_TURNS = 0.25

# Erased patches: their share of the image and width by height; together they always fit.
ERASED_AREA = (0.02, 0.25)
ERASED_MAX_ASPECT = 2.0
ERASED_VALUE = 127.5

# Luma (gray) and two axes of chroma, of the NTSC color system.
RGB_TO_YIQ = np.array(
    [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]], np.float32
)
YIQ_TO_RGB = np.linalg.inv(RGB_TO_YIQ)


def augment(
    image: tf.Tensor,
    size: int,
    seed: tf.Tensor,
    *,
    min_area: float,
    flip: bool,
    color: float,
    erasing: float,
) -> tf.Tensor:
    """Makes a network input of a canonical image, changed at random.

    Args:
        image: Canonical image, uint8 [H, W, 3].
        size: Side of the network's input in pixels.
        seed: int64 [2]; the same seed makes the same changes.
        min_area: Smallest share of the image that the crop keeps. 1 takes no random crop but the
            square that evaluation takes.
        flip: Whether every other image is mirrored.
        color: Strength c of the color changes: brightness, contrast and saturation are scaled by
            1 − c … 1 + c, the hue is turned by up to c / 4 of a turn either way.
        erasing: Share of images in which a rectangle is erased.

    Returns:
        float32 [size, size, 3] in 0 … 255.
    """
    draws = tf.random.stateless_uniform([14], tf.cast(seed, tf.int64), alg="philox")
    crop, mirror, colors, patch = tf.split(draws, [4, 1, 4, 5])
    if min_area < 1.0:
        origin, extent = _crop(tf.shape(image)[:2], crop, min_area)
        result = images.resample(image, origin, extent, [size, size])
    else:
        result = images.to_network_input(image, size)
    if flip:
        result = tf.cond(mirror[0] < 0.5, lambda: tf.reverse(result, [1]), lambda: result)
    if color > 0.0:
        result = _change_colors(result, colors, color)
    if erasing > 0.0:
        result = tf.cond(patch[0] < erasing, lambda: _erase(result, patch[1:]), lambda: result)
    return result


def _crop(shape: tf.Tensor, draws: tf.Tensor, min_area: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws a rectangle within an image; its edges may lie within pixels.

    The area is uniform from `min_area` of the image to all of it, the aspect ratio log-uniform
    among those at which a rectangle of that area fits. An image longer than 4:3 holds no
    rectangle of its own area: there, "all of it" is the largest that fits.

    Args:
        shape: Height and width of the image, int32 [2].
        draws: Uniform in 0 … 1, float32 [4].
        min_area: Smallest share of the image's area.

    Returns:
        (top and left edge, height and width) in pixels, both float32 [2].
    """
    shape = tf.cast(shape, tf.float32)
    shape_aspect = shape[1] / shape[0]
    limit = tf.math.log(MAX_ASPECT)
    largest = tf.minimum(1.0, MAX_ASPECT * tf.minimum(shape_aspect, 1.0 / shape_aspect))
    area = _between(tf.minimum(min_area, largest), largest, draws[0])
    # Of the area a·H·W and the aspect r, the width √(a·H·W·r) is at most W and the height
    # √(a·H·W / r) at most H where a·(W/H) ≤ r ≤ (W/H) / a.
    low = tf.maximum(-limit, tf.math.log(area * shape_aspect))
    high = tf.minimum(limit, tf.math.log(shape_aspect / area))
    aspect = tf.exp(_between(low, high, draws[1]))
    pixels = area * shape[0] * shape[1]
    extent = tf.minimum(tf.sqrt(tf.stack([pixels / aspect, pixels * aspect])), shape)
    return draws[2:] * (shape - extent), extent


def _change_colors(image: tf.Tensor, draws: tf.Tensor, strength: float) -> tf.Tensor:
    """Changes brightness, contrast, saturation and hue in one linear map of the colors.

    Saturation scales the plane of chroma and hue turns it, so neither moves gray; contrast scales
    the distance to the image's mean gray; brightness scales all.

    Args:
        image: float32 [H, W, 3] in 0 … 255.
        draws: Uniform in 0 … 1, float32 [4].
        strength: c of `augment`.

    Returns:
        float32 [H, W, 3] in 0 … 255.
    """
    brightness, contrast, saturation, turn = tf.unstack(strength * (2.0 * draws - 1.0))
    brightness, contrast, saturation = 1.0 + brightness, 1.0 + contrast, 1.0 + saturation
    angle = 2.0 * math.pi * HUE_TURNS * turn
    cosine, sine = saturation * tf.cos(angle), saturation * tf.sin(angle)
    chroma = tf.reshape(tf.stack([1.0, 0.0, 0.0, 0.0, cosine, -sine, 0.0, sine, cosine]), [3, 3])
    matrix = brightness * contrast * (YIQ_TO_RGB @ chroma @ RGB_TO_YIQ)
    mean_gray = tf.tensordot(tf.reduce_mean(image, axis=[0, 1]), RGB_TO_YIQ[0], 1)
    # Pixels are rows, so the matrix stands at the right, transposed.
    changed = tf.tensordot(image, matrix, [[2], [1]]) + brightness * (1.0 - contrast) * mean_gray
    return tf.clip_by_value(changed, 0.0, 255.0)


def _erase(image: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Overwrites a rectangle with middle gray.

    Args:
        image: float32 [S, S, 3].
        draws: Uniform in 0 … 1, float32 [4].

    Returns:
        float32 [S, S, 3].
    """
    size = image.shape[0]
    area = _between(*ERASED_AREA, draws[0]) * size**2
    limit = math.log(ERASED_MAX_ASPECT)
    aspect = tf.exp(_between(-limit, limit, draws[1]))
    extent = tf.sqrt(tf.stack([area / aspect, area * aspect]))
    origin = draws[2:] * (size - extent)
    centers = tf.range(size, dtype=tf.float32)[:, tf.newaxis] + 0.5
    inside = (centers >= origin) & (centers < origin + extent)
    patch = inside[:, tf.newaxis, 0] & inside[tf.newaxis, :, 1]
    return tf.where(patch[..., tf.newaxis], ERASED_VALUE, image)


def _between(low: tf.Tensor | float, high: tf.Tensor | float, draw: tf.Tensor) -> tf.Tensor:
    return low + (high - low) * draw
