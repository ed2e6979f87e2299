"""How alike two photos are, wherever the one's frame lies in the other: near-duplicates stand out.

An embedding that puts a class into one place cannot tell a photo taken twice from two flowers of a
species; pixels can. Both photos are made small, what is smooth in them is taken away (light, and
the broad shapes that all flowers of a species share), and what remains is correlated (zero-mean
normalised cross-correlation, Lewis 1995, "Fast Normalized Cross-Correlation", eq. 1): the middle of
the one with every place of the other, at several scales, mirrored too, and the other way round. The
highest correlation counts. So a photo stays alike that was cropped a little, mirrored, resized,
brightened or compressed again, not one that was rotated.
"""

from __future__ import annotations

import functools
import io
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float32]

# Pixels: of a photo's side as it is read, as it is compared, and of what is left around its middle.
READ, SIDE, MARGIN = 60, 48, 4
# By how much a photo is enlarged to lie on a crop of it.
SCALES = (1.0, 1.04, 1.08, 1.12, 1.17, 1.22)
# Standard deviations in pixels: what is finer does not survive compression, or a shift by half a
# pixel; what is coarser is smooth.
FINE, COARSE = 0.7, 2.5

_INNER = SIDE - 2 * MARGIN


class Picture(NamedTuple):
    """A photo, ready to be compared.

    Attributes:
        places: Every square of the small photo, float32 [P, F] with P = (2 `MARGIN` + 1)².
        lengths: Of the rows of `places` less their mean in each channel; inf where there is nothing
            but smooth areas. float32 [P].
        middles: The middle at every scale, as it is and mirrored, with mean 0 in each channel and
            length 1, or zeros. float32 [2 S, F].
    """

    places: Floats
    lengths: Floats
    middles: Floats


def prepare(encoded: bytes) -> Picture:
    """Decodes a photo, whose central square is compared.

    Args:
        encoded: JPEG, PNG or another format that Pillow reads.

    Raises:
        PIL.UnidentifiedImageError: Not an image.
    """
    pixels = _read(encoded)
    squares = np.lib.stride_tricks.sliding_window_view(
        _details(pixels, SIDE, 0), (3, _INNER, _INNER)
    )
    places = squares.reshape(-1, 3, _INNER**2)
    middles = []
    for scale in SCALES:
        side = round(SIDE * scale)
        middle = _details(pixels, side, (side - _INNER) // 2)[:, :_INNER, :_INNER]
        middles += [middle.reshape(3, -1), middle[:, :, ::-1].reshape(3, -1)]
    stacked = np.stack(middles)
    centred = stacked - stacked.mean(axis=2, keepdims=True)
    return Picture(
        places.reshape(len(places), -1),
        _lengths(places),
        (centred / _lengths(stacked)[:, None, None]).reshape(len(stacked), -1),
    )


def likeness(one: Picture, other: Picture) -> float:
    """The highest correlation, at most 1; 0 where a photo has nothing but smooth areas."""
    return max(_correlation(one, other), _correlation(other, one))


def _correlation(one: Picture, other: Picture) -> float:
    # The middles' means are 0, so that those of the places have no say.
    return float(((one.places @ other.middles.T) / one.lengths[:, None]).max())


def _read(encoded: bytes) -> Floats:
    """The central square, float32 [3, `READ`, `READ`]."""
    with Image.open(io.BytesIO(encoded)) as opened:
        image = opened.convert("RGB")
    length = min(image.size)
    left, top = ((extent - length) / 2 for extent in image.size)
    small = image.resize(
        (READ, READ), Image.Resampling.BILINEAR, (left, top, left + length, top + length)
    )
    return np.ascontiguousarray(np.asarray(small, np.float32).transpose(2, 0, 1))


def _details(pixels: Floats, side: int, start: int) -> Floats:
    """A square at `side` pixels without what is too fine or smooth, from `start` on."""
    fine, coarse = _filters(side)
    fine, coarse = fine[start:], coarse[start:]
    return np.subtract(fine @ pixels @ fine.T, coarse @ pixels @ coarse.T, dtype=np.float32)


@functools.cache
def _filters(side: int) -> tuple[Floats, Floats]:
    """Matrices [side, `READ`] that bring a row of pixels to `side`, and blur it with Gaussians."""
    shrink = READ / side
    centres = (np.arange(side) + 0.5) * shrink - 0.5
    triangles = np.maximum(1 - np.abs(centres[:, None] - np.arange(READ)) / shrink, 0)
    resize = triangles / triangles.sum(axis=1, keepdims=True)
    places = np.arange(side)
    blurs = (
        np.exp(-((places[:, None] - places) ** 2) / (2 * width**2)) for width in (FINE, COARSE)
    )
    fine, coarse = (blur / blur.sum(axis=1, keepdims=True) @ resize for blur in blurs)
    # Numbers that are almost zero take a processor ten times as long.
    first, second = (np.where(f < 1e-12, 0, f).astype(np.float32) for f in (fine, coarse))
    return first, second


def _lengths(squares: Floats) -> Floats:
    """Length of each of [N, 3, pixels] less its channels' means; inf for next to nothing."""
    means = squares.mean(axis=2)
    pixels = squares.shape[2]
    squared = np.einsum("ncp,ncp->n", squares, squares) - pixels * (means**2).sum(axis=1)
    lengths = np.sqrt(np.maximum(squared, 0))
    # Half a grey level on average is no more than the noise of compression.
    return np.where(lengths > 0.5 * (3 * pixels) ** 0.5, lengths, np.inf).astype(np.float32)
