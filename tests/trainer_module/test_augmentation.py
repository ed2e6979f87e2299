"""Augmentation: what it may do to geometry and colors, its rates, its independence, its off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_module import augmentation, images

SIZE = 32
OFF: dict[str, Any] = {"min_area": 1.0, "flip": False, "color": 0.0, "erasing": 0.0}
# NTSC's luma, and its chroma as one complex number.
YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


def _augment(pixels: np.ndarray, count: int, size: int = SIZE, **options: Any) -> np.ndarray:
    """`count` versions of an image, float32 [count, size, size, 3]."""
    image = tf.constant(pixels, tf.uint8)

    def one(index: tf.Tensor) -> tf.Tensor:
        seed = tf.stack([tf.constant(7, tf.int64), index])
        return augmentation.augment(image, size, seed, **{**OFF, **options})

    batch = next(iter(tf.data.Dataset.range(count).map(one).batch(count)))
    assert batch.shape == (count, size, size, 3) and batch.dtype == tf.float32
    return batch.numpy()


def _noise(height: int, width: int, low: int = 0, high: int = 255) -> np.ndarray:
    return np.random.default_rng(0).integers(low, high + 1, (height, width, 3)).astype(np.uint8)


def _ramps(height: int, width: int) -> np.ndarray:
    """Red rises to the right, green downwards: a crop's colors tell where it was taken."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([255 * x / (width - 1), 255 * y / (height - 1), 0 * x], axis=-1)
    return np.round(pixels).astype(np.uint8)


def _boxes(crops: np.ndarray, height: int, width: int) -> tuple[np.ndarray, ...]:
    """Top, left, height and width, in pixels, of crops of `_ramps`."""
    size = crops.shape[1]
    centers = (np.arange(size) + 0.5) / size
    inner = slice(size // 4, -size // 4)  # clear of where the filter meets the image's edge
    found = []
    for profile, pixels in ((crops[..., 1].mean(2), height), (crops[..., 0].mean(1), width)):
        slope, start = np.polyfit(centers[inner], profile[:, inner].T * (pixels - 1) / 255, 1)
        found.append((start + 0.5, slope))
    (top, rows), (left, columns) = found
    return top, left, rows, columns


@pytest.mark.parametrize("shape", [(64, 64), (40, 90), (100, 50)])
def test_off_is_what_evaluation_sees(shape):
    pixels = _noise(*shape)
    expected = images.to_network_input(tf.constant(pixels), SIZE).numpy()
    for found in _augment(pixels, 5):
        np.testing.assert_array_equal(found, expected)


def test_the_same_seed_gives_the_same_image():
    pixels = _noise(50, 70)
    options: dict[str, Any] = {"min_area": 0.3, "flip": True, "color": 0.5, "erasing": 0.5}
    first = _augment(pixels, 20, **options)
    np.testing.assert_array_equal(first, _augment(pixels, 20, **options))
    assert len(np.unique(first.reshape(20, -1), axis=0)) == 20
    eager = augmentation.augment(
        tf.constant(pixels), SIZE, tf.constant([7, 3], tf.int64), **options
    )
    np.testing.assert_allclose(eager, first[3], atol=1e-3)
    other = augmentation.augment(
        tf.constant(pixels), SIZE, tf.constant([8, 3], tf.int64), **options
    )
    assert np.abs(other - first[3]).mean() > 5


@pytest.mark.parametrize(
    ("shape", "min_area"),
    [((120, 120), 0.2), ((120, 150), 0.2), ((150, 100), 0.9), ((60, 240), 0.2), ((240, 60), 0.9)],
)
def test_crops_keep_their_area_aspect_and_place(shape, min_area):
    height, width = shape
    top, left, rows, columns = _boxes(
        _augment(_ramps(*shape), 300, min_area=min_area), height, width
    )
    assert (top > -0.5).all() and (top + rows < height + 0.5).all()
    assert (left > -0.5).all() and (left + columns < width + 0.5).all()
    aspect, area = columns / rows, columns * rows / (height * width)
    assert aspect.min() > 0.74 and aspect.max() < 1.35
    largest = min(1.0, 4 / 3 * height / width, 4 / 3 * width / height)
    smallest = min(min_area, largest)
    assert area.min() > smallest - 0.02 and area.max() < largest + 0.02
    # Uniform: the mean is the middle, within four standard errors.
    tolerance = 4 * (largest - smallest) / np.sqrt(12 * 300) + 0.01
    assert abs(area.mean() - (smallest + largest) / 2) < tolerance
    if min_area == 0.2 and height == width:
        assert aspect.min() < 0.8 and aspect.max() > 1.25
        for start, room in ((top, height - rows), (left, width - columns)):
            place = (start / room)[room > 12]
            assert abs(place.mean() - 0.5) < 4 / np.sqrt(12 * len(place)) + 0.01


def test_crop_decisions_are_independent():
    crops = _augment(_ramps(120, 120), 500, min_area=0.2)
    top, left, rows, columns = _boxes(crops, 120, 120)
    wide = rows * columns < 0.7 * 120 * 120  # larger ones leave the aspect and place no freedom
    values = [top / (120 - rows), left / (120 - columns), columns / rows, rows * columns]
    correlation = np.corrcoef([value[wide] for value in values])
    assert np.abs(correlation - np.eye(4)).max() < 4 / np.sqrt(wide.sum())


def _mirrored(crops: np.ndarray) -> np.ndarray:
    return crops[:, :, :8, 0].mean((1, 2)) > crops[:, :, -8:, 0].mean((1, 2))


def test_half_are_mirrored_and_nothing_else_changes():
    found = _augment(_noise(64, 64), 400, flip=True)
    plain = _augment(_noise(64, 64), 1)[0]
    is_plain = (found == plain).all(axis=(1, 2, 3))
    is_mirrored = (found == plain[:, ::-1]).all(axis=(1, 2, 3))
    assert (is_plain ^ is_mirrored).all()
    assert abs(is_mirrored.mean() - 0.5) < 0.1  # four standard errors


@pytest.mark.parametrize("erasing", [0.1, 0.4, 1.0])
def test_a_share_has_one_rectangle_erased(erasing):
    pixels = _noise(64, 64, 150, 250)
    found = _augment(pixels, 400, erasing=erasing)
    changed = (found != _augment(pixels, 1)[0]).any(axis=3)
    rate = changed.any(axis=(1, 2)).mean()
    assert abs(rate - erasing) <= 4 * np.sqrt(erasing * (1 - erasing) / 400)
    areas = []
    for patch, image in zip(changed, found, strict=True):
        if patch.any():
            rows, columns = patch.any(axis=1), patch.any(axis=0)
            np.testing.assert_array_equal(patch, rows[:, None] & columns)
            for line in (rows, columns):
                assert np.diff(np.flatnonzero(line)).max(initial=1) == 1
            assert len(np.unique(image[patch])) == 1
            areas.append(patch.mean())
    assert min(areas) > 0.01 and max(areas) < 0.3
    assert np.std(areas) > 0.03


def test_decisions_do_not_depend_on_what_else_is_on():
    pixels = _ramps(90, 90)
    options: dict[str, Any] = {"min_area": 0.3, "flip": True}
    plain = _augment(pixels, 60, **options)
    erased = _augment(pixels, 60, **options, erasing=0.5)
    same = (plain == erased).all(axis=3)
    assert (same.mean(axis=(1, 2)) > 0.7).all()
    flipped_only = _augment(pixels, 60, flip=True)
    np.testing.assert_array_equal(_mirrored(plain), _mirrored(flipped_only))


def test_mirror_crop_color_and_erasing_are_independent_of_each_other():
    pixels = _ramps(120, 120)
    count = 500
    mirrored = _mirrored(_augment(pixels, count, flip=True))
    flat = np.full((40, 40, 3), 100, np.uint8)
    brightness = _augment(flat, count, 2, color=0.5).mean(axis=(1, 2, 3))
    erased = (_augment(flat, count, erasing=0.5) > 110).any(axis=(1, 2, 3))
    top, left, rows, columns = _boxes(_augment(pixels, count, min_area=0.2), 120, 120)
    values = [mirrored, brightness, erased, top / (120 - rows), left / (120 - columns), rows]
    correlation = np.corrcoef(values)
    correlation[3:, 3:] = np.eye(3)  # crops have a test of their own
    assert np.abs(correlation - np.eye(6)).max() < 4 / np.sqrt(count)


@pytest.mark.parametrize("strength", [0.2, 0.4])
def test_colors_change_as_promised(strength):
    pixels = _noise(30, 30, 110, 145)  # so little contrast that nothing is cut at 0 or 255
    before = _augment(pixels, 1)[0].reshape(-1, 3) @ YIQ.T
    brightness, contrast, saturation, turn = [], [], [], []
    for after in _augment(pixels, 300, color=strength).reshape(300, -1, 3) @ YIQ.T:
        # Luma depends on luma alone, by a straight line that scales the mean by brightness.
        slope, start = np.polyfit(before[:, 0], after[:, 0], 1)
        np.testing.assert_allclose(slope * before[:, 0] + start, after[:, 0], atol=0.1)
        brightness.append(after[:, 0].mean() / before[:, 0].mean())
        contrast.append(slope / brightness[-1])
        # Chroma is scaled and turned.
        chroma = before[:, 1] + 1j * before[:, 2]
        factor = np.vdot(chroma, after[:, 1] + 1j * after[:, 2]) / np.vdot(chroma, chroma)
        np.testing.assert_allclose(
            factor * chroma, after[:, 1] + 1j * after[:, 2], atol=0.1, rtol=0.01
        )
        saturation.append(abs(factor) / slope)
        turn.append(np.angle(factor) / (2 * np.pi))
    for factors in (brightness, contrast, saturation):
        assert 1 - strength - 0.01 < min(factors) < 1 - 0.9 * strength
        assert 1 + 0.9 * strength < max(factors) < 1 + strength + 0.01
    assert 0.9 * strength / 4 < max(turn) < strength / 4 + 0.001
    assert -strength / 4 - 0.001 < min(turn) < -0.9 * strength / 4
    correlation = np.corrcoef([brightness, contrast, saturation, turn])
    assert np.abs(correlation - np.eye(4)).max() < 4 / np.sqrt(300)


def test_gray_stays_gray():
    gray = np.repeat(_noise(40, 40)[..., :1], 3, axis=2)
    found = _augment(gray, 30, color=1.0)
    assert np.ptp(found, axis=3).max() < 0.01
    assert np.ptp(found.mean(axis=(1, 2, 3))) > 50


def test_everything_at_its_strongest_stays_in_range():
    found = _augment(_noise(40, 56), 200, min_area=0.01, flip=True, color=1.0, erasing=1.0)
    assert np.isfinite(found).all()
    assert found.min() == 0.0 and found.max() == 255.0


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (70, 2)])
def test_tiny_and_elongated_images_survive(shape):
    pixels = np.full((*shape, 3), 90, np.uint8)
    found = _augment(pixels, 40, min_area=0.05, flip=True)
    np.testing.assert_allclose(found, 90, atol=1e-3)
