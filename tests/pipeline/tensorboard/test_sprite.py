"""The sheet of thumbnails: its size, and where each of them is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tensorboard.sprite import columns_of, draw_sprite, tile_size
from tests.pipeline.tensorboard.conftest import picture


@given(st.integers(1, 8192**2))
def test_any_number_of_pictures_fits(count: int) -> None:
    columns, tile = columns_of(count), tile_size(count)
    assert columns**2 >= count > (columns - 1) ** 2
    assert tile >= 1 and columns * tile <= 8192
    # As many as a browser draws with ease, unless they would be too small to be made out.
    assert columns * tile <= 4096 or tile <= 32
    assert tile <= 64


def test_more_pictures_than_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit into 8192"):
        tile_size(8192**2 + 1)


def test_each_picture_is_cut_to_its_middle_and_has_its_place() -> None:
    import io

    from PIL import Image

    wide = Image.new("RGB", (120, 40), "red")
    wide.paste("blue", (40, 0, 80, 40))
    buffer = io.BytesIO()
    wide.save(buffer, "PNG")
    sheet, tile = draw_sprite([buffer.getvalue(), picture((0, 200, 0)), picture((9, 9, 9))])
    assert (sheet.size, tile) == ((128, 128), 64)
    places = [(32, 32), (2, 2), (61, 61)]
    assert [sheet.getpixel(place) for place in places] == [(0, 0, 255)] * 3
    assert sheet.getpixel((96, 32)) == pytest.approx((0, 200, 0), abs=6)
    assert sheet.getpixel((32, 96)) == pytest.approx((9, 9, 9), abs=6)
    assert sheet.getpixel((96, 96)) == (0, 0, 0)
