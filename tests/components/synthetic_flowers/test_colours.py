"""Colours against the standard library's HSV, the display curve, and smooth fields."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from components.synthetic_flowers.colours import FAMILIES, Colour, to_display
from components.synthetic_flowers.noise import blur, noise, step


@pytest.mark.parametrize(
    "hsv", [(0.0, 1.0, 1.0), (0.14, 0.8, 0.9), (0.33, 0.5, 0.4), (0.61, 0.7, 0.8), (0.95, 0.2, 1.0)]
)
def test_linear_is_the_square_of_hsv(hsv: tuple[float, float, float]):
    expected = np.square(colorsys.hsv_to_rgb(*hsv))
    # A trace of white is added to every colour.
    np.testing.assert_allclose(Colour(*hsv).linear(), 0.96 * expected + 0.015, rtol=1e-5)


def test_shifted_wraps_the_hue_and_clips_the_rest():
    shifted = Colour(0.9, 0.8, 0.9).shifted(0.2, 2.0, 0.5)
    assert shifted.hue == pytest.approx(0.1)
    assert (shifted.saturation, shifted.value) == (1.0, pytest.approx(0.45))


def test_families_have_words_of_their_own():
    words = [word for family in FAMILIES for word in family.names]
    assert len(set(words)) == len(words)


def test_display_curve_is_monotone_and_keeps_black_and_white():
    light = np.linspace(-0.5, 4.0, 500, dtype=np.float32)
    shown = to_display(light)
    assert shown.dtype == np.uint8
    assert (np.diff(shown.astype(int)) >= 0).all()
    assert shown[0] == 0
    assert 225 <= to_display(np.array([1.0], np.float32))[0] <= 255
    assert to_display(np.array([4.0], np.float32))[0] == 255


def test_step_is_a_cubic_either_way():
    x = np.linspace(-1.0, 2.0, 31, dtype=np.float32)
    clipped = np.clip(x.astype(np.float64), 0.0, 1.0)
    np.testing.assert_allclose(step(0.0, 1.0, x), 3 * clipped**2 - 2 * clipped**3, atol=1e-6)
    np.testing.assert_allclose(step(1.0, 0.0, x), 1.0 - step(0.0, 1.0, x), atol=1e-6)


def test_blur_spreads_a_point_and_never_goes_below_zero():
    picture = np.zeros((40, 60, 3), np.float32)
    picture[20, 30] = 1.0
    blurred = blur(picture, 3.0)
    assert blurred.shape == picture.shape
    assert blurred.dtype == np.float32
    assert blurred.min() >= 0.0
    assert blurred.max() < 0.1
    # Light is neither lost nor made.
    np.testing.assert_allclose(blurred.sum(), 3.0, rtol=0.15)
    np.testing.assert_allclose(blur(np.full((40, 60), 0.7, np.float32), 5.0), 0.7, atol=1e-5)


def test_noise_has_the_scale_that_is_asked_for():
    rng = np.random.default_rng(0)
    coarse, fine = noise(rng, 64, 96, 32.0), noise(rng, 64, 96, 4.0)
    assert coarse.shape == fine.shape == (64, 96)
    assert abs(fine.mean()) < 0.2

    def roughness(field: np.ndarray) -> float:
        return float(np.abs(np.diff(field, axis=1)).mean() / field.std())

    assert roughness(fine) > 3.0 * roughness(coarse)
