"""How pictures are kept and made smaller."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.comparison import sheets
from pipeline.comparison.sheets import Pictures


def _thumbnail(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (96, 128, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "jpeg")
    return file.getvalue()


def test_equal_thumbnails_are_one_picture() -> None:
    pictures = Pictures()
    keys = [pictures.key(_thumbnail(seed)) for seed in (0, 1, 0)]
    assert keys[0] == keys[2] != keys[1]
    assert set(pictures.encoded()) == set(keys)


def test_none_are_none() -> None:
    assert Pictures().encoded() == {}


def test_many_pictures_become_smaller_until_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = Pictures()
    for seed in range(20):
        pictures.key(_thumbnail(seed))
    whole = sum(map(len, pictures.encoded().values()))
    monkeypatch.setattr(sheets, "_MOST_BYTES", whole // 3)
    fitting = pictures.encoded()
    assert sum(map(len, fitting.values())) <= whole // 3
    sizes = {Image.open(io.BytesIO(data)).size for data in fitting.values()}
    ((width, height),) = sizes
    assert 32 <= height < 96 and width == pytest.approx(height * 4 / 3, abs=1)
