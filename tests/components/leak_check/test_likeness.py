"""What happens to photos leaves them alike; other photos of the same species are not."""

from __future__ import annotations

import io
import itertools

import numpy as np
import PIL
import pytest
from PIL import Image

from benchmarks.near_duplicates import Change
from components.leak_check.likeness import COARSE, FINE, READ, likeness, prepare
from pipeline.settings import EvaluationSettings

THRESHOLD = EvaluationSettings().duplicate_likeness


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_changed_photo_is_a_near_duplicate(
    photos: list[Image.Image], encoded: list[bytes], change: Change
) -> None:
    for photo, original in zip(photos, encoded, strict=True):
        assert likeness(prepare(original), prepare(change(photo))) > THRESHOLD


def test_photos_of_a_species_are_not(encoded: list[bytes]) -> None:
    pictures = [prepare(photo) for photo in encoded]
    for one, other in itertools.combinations(pictures, 2):
        assert likeness(one, other) < THRESHOLD - 0.1


def test_both_ways_the_same_and_at_most_one(encoded: list[bytes]) -> None:
    one, other = prepare(encoded[0]), prepare(encoded[1])
    assert likeness(one, other) == likeness(other, one)
    assert likeness(one, one) == pytest.approx(1.0, abs=1e-5)


def test_is_the_correlation_of_what_lies_between_two_gaussians() -> None:
    """Against Pillow's resampling and float64, for photos that lie on each other."""
    rng = np.random.default_rng(0)
    first = rng.integers(60, 196, (READ, READ, 3)).astype(np.uint8)
    second = np.clip(first + rng.normal(0, 22, first.shape), 0, 255).astype(np.uint8)
    places = np.arange(48)

    def blurred(pixels: np.ndarray, width: float) -> np.ndarray:
        weights = np.exp(-((places[:, None] - places) ** 2) / (2 * width**2))
        weights /= weights.sum(axis=1, keepdims=True)
        return np.einsum("ij,jkc,lk->ilc", weights, pixels, weights)

    def middle(pixels: np.ndarray) -> np.ndarray:
        channels = (Image.fromarray(pixels[..., c].astype(np.float32)) for c in range(3))
        small = [np.asarray(c.resize((48, 48), Image.Resampling.BILINEAR)) for c in channels]
        resized = np.stack(small, axis=-1).astype(np.float64)
        inner = (blurred(resized, FINE) - blurred(resized, COARSE))[4:-4, 4:-4]
        centred = inner - inner.mean(axis=(0, 1))
        return centred / np.linalg.norm(centred)

    expected = float((middle(first) * middle(second)).sum())
    assert 0.8 < expected < 0.95, "a test of something"
    assert likeness(prepare(_png(first)), prepare(_png(second))) == pytest.approx(
        expected, abs=1e-5
    )


def test_smooth_photos_are_like_nothing(encoded: list[bytes]) -> None:
    ramp = np.broadcast_to(np.linspace(90, 110, 64)[:, None, None], (64, 64, 3))
    smooth = prepare(_png(ramp))
    assert likeness(smooth, smooth) == 0.0
    assert likeness(smooth, prepare(encoded[0])) == 0.0


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(PIL.UnidentifiedImageError):
        prepare(b"not an image")
