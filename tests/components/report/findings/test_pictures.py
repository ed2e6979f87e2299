"""Pictures: the right ones, small enough, and never enlarged."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.report.findings.pictures import SIDES, PictureBook, opened
from components.report.findings.sprite import TILES, sprite
from tests.components.report.findings.build import colour, images_of, thumbnail


def decoded(picture: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(picture))
    assert image.format == "WEBP"
    return image.convert("RGB")


def noise(seed: int, size: tuple[int, int]) -> bytes:
    """JPEG that does not compress well."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "jpeg", quality=90)
    return buffer.getvalue()


def is_colour(pixel: Any, number: int) -> bool:
    return bool(np.abs(np.subtract(pixel, colour(number))).max() <= 6)


def test_a_picture_shows_its_image_as_large_as_the_thumbnail() -> None:
    images = images_of(np.eye(3), list("abc"), thumbnail_size=(30, 20))
    book = PictureBook(images)
    for row in (2, 0, 0):
        assert book.add(row) == images.ids[row]
    drawn = book.draw(1e6)
    assert set(drawn) == {images.ids[0], images.ids[2]}
    for key, picture in drawn.items():
        image = decoded(picture)
        assert image.size == (30, 20)
        assert is_colour(image.getpixel((15, 10)), int(key))


def test_an_image_that_is_not_embedded_has_no_picture() -> None:
    book = PictureBook(images_of(np.eye(2), list("ab")))
    assert book.add_id("0") == "0"
    assert book.add_id("gone.jpg") is None
    assert set(book.draw(1e6)) == {"0"}


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (200, 200)])
def test_thumbnails_are_reduced_to_a_shorter_side(size: tuple[int, int]) -> None:
    reduced = opened(thumbnail(1, size), 64)
    assert min(reduced.size) == 64
    assert reduced.width / reduced.height == pytest.approx(size[0] / size[1], rel=0.02)


def test_pictures_shrink_until_they_fit() -> None:
    images = images_of(np.eye(4), list("abcd"))
    images.thumbnails[:] = [noise(seed, (200, 150)) for seed in range(4)]
    book = PictureBook(images)
    for row in range(4):
        book.add(row)
    free, tight = book.draw(1e9), book.draw(20_000)
    assert min(decoded(next(iter(free.values()))).size) == SIDES[0]
    side = min(decoded(next(iter(tight.values()))).size)
    assert side < SIDES[0] and side in SIDES
    assert sum(map(len, tight.values())) <= 20_000
    smallest = book.draw(0)
    assert min(decoded(next(iter(smallest.values()))).size) == SIDES[-1]


def test_tiles_are_in_order_and_squares_of_the_middle() -> None:
    found = sprite([thumbnail(number, (90, 64)) for number in range(7)], 1e6)
    assert found is not None
    assert (found.tile, found.columns) == (64, 3)
    picture = decoded(found.picture)
    assert picture.size == (192, 192)
    for number in range(7):
        row, column = divmod(number, found.columns)
        assert is_colour(picture.getpixel((column * 64 + 32, row * 64 + 32)), number)


def test_tiles_are_no_larger_than_thumbnails() -> None:
    found = sprite([thumbnail(number, (50, 41)) for number in range(4)], 1e6)
    assert found is not None and found.tile == 40
    found = sprite([thumbnail(number, (12, 9)) for number in range(4)], 1e6)
    assert found is not None and found.tile == TILES[-1], "the smallest tile there is"


def test_a_sprite_keeps_within_its_bytes() -> None:
    # So many that the size is first told from a sample.
    pictures = [noise(seed, (24, 24)) for seed in range(600)]
    free = sprite(pictures, 1e9)
    assert free is not None and free.tile == 24
    tight = sprite(pictures, len(free.picture) / 1.5)
    assert tight is not None
    assert len(tight.picture) <= len(free.picture) / 1.5 and tight.tile == 16
    assert sprite(pictures, 1000) is None, "not even the smallest tiles"


def test_a_sprite_keeps_within_the_pixels_that_phones_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("components.report.findings.sprite.MAX_PIXELS", 40_000)
    found = sprite([thumbnail(1, (64, 64))] * 15, 1e9)
    assert found is not None
    assert found.tile == 48, "16 places of 48 x 48 are fewer, of 56 x 56 more"
    assert decoded(found.picture).size == (192, 192)


def test_no_image_no_sprite() -> None:
    assert sprite([], 1e6) is None
