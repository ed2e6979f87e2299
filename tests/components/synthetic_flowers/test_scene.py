"""Photographs: the same on every machine, each different from the others, of the right size."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.synthetic_flowers.genera import draw_species
from components.synthetic_flowers.scene import draw_light, draw_photo, draw_poses, photograph
from components.synthetic_flowers.streams import Purpose, stream

# Of `_digest()` below. A change means that the drawing has changed: then count up
# `SyntheticFlowers.VERSION`, so that datasets drawn before are not taken for new ones.
DIGEST = "808cf7df22b74d5e"


def _photo(seed: int, label: int, index: int, size: int = 64) -> np.ndarray:
    return draw_photo(stream(seed, Purpose.TRAIN, label, index), draw_species(seed, label), size)


def _digest() -> str:
    digest = hashlib.sha256()
    for label in range(42):
        digest.update(_photo(0, label, label, 48).tobytes())
    return digest.hexdigest()[:16]


def test_pixels_are_what_they_always_were():
    assert _digest() == DIGEST


def test_pixels_do_not_depend_on_the_processor():
    """Without its vector instructions NumPy rounds transcendental functions another way."""
    show_config: Any = np.show_config  # NumPy 1.26's annotations know no `mode`.
    features = show_config(mode="dicts")["SIMD Extensions"]["found"]
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('scene_test', {__file__!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "print(module._digest())\n"
    )
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(features)}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == DIGEST


def test_photographs_are_reproducible_and_all_different():
    first = [photograph(stream(0, Purpose.TEST, 2, i), draw_species(0, 2), 64) for i in range(4)]
    # In another order, after others were drawn.
    again = [
        photograph(stream(0, Purpose.TEST, 2, i), draw_species(0, 2), 64) for i in (3, 2, 1, 0)
    ]
    assert first == again[::-1]
    others = [
        photograph(stream(1, Purpose.TEST, 2, 0), draw_species(1, 2), 64),
        photograph(stream(0, Purpose.TRAIN, 2, 0), draw_species(0, 2), 64),
    ]
    assert len({*first, *others}) == 6


@pytest.mark.parametrize("size", [32, 75, 160])
def test_shorter_side_is_image_size_in_portrait_and_landscape(size: int):
    shapes = set()
    for index in range(12 if size < 100 else 4):
        encoded = photograph(stream(0, Purpose.TRAIN, 0, index), draw_species(0, 0), size)
        image = Image.open(io.BytesIO(encoded))
        assert (image.format, image.mode) == ("JPEG", "RGB")
        assert min(image.size) == size
        assert max(image.size) <= 1.5 * size + 1
        shapes.add(np.sign(image.width - image.height))
    assert {-1, 1} <= shapes


def test_photographs_are_neither_dark_nor_burnt_out():
    for label in range(24):
        pixels = _photo(0, label, 0)
        assert pixels.dtype == np.uint8
        assert 40 < pixels.mean() < 200
        assert pixels.std() > 15
        assert (pixels == 255).all(axis=2).mean() < 0.2


def test_a_photograph_shows_its_species_colour():
    """The same scene with flowers of another colour differs where the flowers are."""
    for genus in (0, 2, 4):
        typical, recoloured = (draw_species(0, 3 * genus + place) for place in (0, 1))
        key = (0, Purpose.TRAIN, 0, 3)
        first = draw_photo(stream(*key), typical, 96).astype(int)
        second = draw_photo(stream(*key), recoloured, 96).astype(int)
        assert first.shape == second.shape
        differs = np.abs(first - second).max(axis=2) > 60
        assert 0.02 < differs.mean() < 0.8


def test_everything_that_belongs_to_the_image_varies():
    scenes = [draw_poses(stream(0, Purpose.TRAIN, 0, i), 100, 150, 1.0) for i in range(300)]
    assert {len(poses) for poses in scenes} == {1, 2, 3, 4, 5}
    poses = [pose for scene in scenes for pose in scene]
    assert all(0 <= pose.x <= 150 and 0 <= pose.y <= 100 for pose in poses)
    np.testing.assert_allclose([np.linalg.norm(pose.axis) for pose in poses], 1.0)
    tilt = np.rad2deg([np.arccos(pose.axis[2]) for pose in poses])
    assert tilt.min() < 10.0 and np.percentile(tilt, 90) > 45.0 and tilt.max() < 90.0
    assert np.std([pose.opening for pose in poses]) > 0.1
    assert np.std([pose.roll for pose in poses]) > 0.2
    assert max(pose.radius for pose in poses) > 3.0 * min(pose.radius for pose in poses)
    assert 0.02 < np.mean([pose.missing > 0 for pose in poses]) < 0.4
    # Natural variation within a species is well below what tells colours apart.
    assert 0.004 < np.std([pose.hue_shift for pose in poses]) < 0.02

    lights = [draw_light(stream(0, Purpose.TRAIN, 0, i)) for i in range(300)]
    np.testing.assert_allclose([np.linalg.norm(light.direction) for light in lights], 1.0)
    assert 0.05 < np.mean([light.direction[2] < 0 for light in lights]) < 0.3
    warmth = [light.sun[0] / light.sun[2] for light in lights]
    assert min(warmth) < 0.95 and max(warmth) > 1.3


def test_relatives_share_places_and_light_in_the_same_scene():
    """What the image draws does not depend on the species, so it cannot give it away."""
    poses = [draw_poses(stream(0, Purpose.TRAIN, 9, 9), 96, 96, reach) for reach in (1.0, 0.8)]
    assert [(p.axis, p.roll, p.opening) for p in poses[0]] == [
        (p.axis, p.roll, p.opening) for p in poses[1]
    ]
