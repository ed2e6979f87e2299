"""Photos of flowers, and what happens to photos."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image, ImageEnhance, ImageOps

from components.synthetic_flowers.genera import draw_species
from components.synthetic_flowers.scene import draw_photo
from components.synthetic_flowers.streams import Purpose, stream


def _jpeg(image: Image.Image, quality: int = 95) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _cropped(image: Image.Image, share: float) -> Image.Image:
    """Some of the photo, not quite from its middle, enlarged to the size it had."""
    width, height = image.size
    left, top = width * (1 - share) * 0.4, height * (1 - share) * 0.6
    box = (left, top, left + width * share, top + height * share)
    return image.resize(image.size, Image.Resampling.BICUBIC, box)


CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "nothing": _jpeg,
    "compressed": lambda image: _jpeg(image, 40),
    "half the size": lambda image: _jpeg(image.reduce(2)),
    "brighter": lambda image: _jpeg(ImageEnhance.Brightness(image).enhance(1.3)),
    "paler": lambda image: _jpeg(ImageEnhance.Contrast(image).enhance(0.6)),
    "mirrored": lambda image: _jpeg(ImageOps.mirror(image)),
    "cropped": lambda image: _jpeg(_cropped(image, 0.88)),
    "cropped, mirrored, compressed": lambda image: _jpeg(
        ImageOps.mirror(_cropped(image, 0.92)), 60
    ),
}


@pytest.fixture(params=CHANGES)
def change(request: pytest.FixtureRequest) -> Callable[[Image.Image], bytes]:
    """Something that makes a near-duplicate of a photo."""
    return CHANGES[request.param]


@pytest.fixture(scope="session")
def photos() -> list[Image.Image]:
    """Twelve of two species."""
    return [
        Image.fromarray(
            draw_photo(stream(0, Purpose.TRAIN, index % 2, index), draw_species(0, index % 2), 96)
        )
        for index in range(12)
    ]


@pytest.fixture(scope="session")
def encoded(photos: list[Image.Image]) -> list[bytes]:
    """The same as files."""
    return [_jpeg(photo) for photo in photos]
