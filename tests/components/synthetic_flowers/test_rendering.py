"""The renderer against areas, Lambert's law and shadows that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from components.synthetic_flowers.geometry import around, frames, normals
from components.synthetic_flowers.rendering import render
from components.synthetic_flowers.surfaces import Light, Part, Sheet


def _light(direction: tuple[float, float, float], sun: float = 1.0, sky: float = 0.0) -> Light:
    length = float(np.linalg.norm(direction))
    x, y, z = (part / length for part in direction)
    return Light((x, y, z), np.full(3, sun, np.float32), np.full(3, sky, np.float32), 0.0)


def _square(
    side: float, centre: tuple[float, float, float], colour: tuple[float, float, float], **more
) -> Part:
    """A square that faces the viewer."""
    at = (np.arange(int(5 * side)) + 0.5) / int(5 * side) - 0.5
    x, y = np.meshgrid(at, at)
    flat = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()]).astype(np.float32)
    normal = np.zeros_like(flat)
    normal[2] = 1.0
    painted = np.repeat(np.array(colour, np.float32)[:, None], flat.shape[1], axis=1)
    return Part(
        Sheet(flat, normal, painted, **more),
        np.eye(3, dtype=np.float32)[None],
        np.full((1, 3), side, np.float32),
        np.array([centre], np.float32),
        np.ones((1, 3), np.float32),
    )


def test_alpha_is_the_covered_area():
    part = _square(10.0, (15.25, 14.0, 0.0), (1.0, 1.0, 1.0))
    layer = render([part], 30, 40, _light((0, 0, 1)), fineness=4)
    assert layer.alpha.shape == (30, 40)
    assert layer.colour.shape == (30, 40, 3)
    np.testing.assert_allclose(layer.alpha.sum(), 100.0, rtol=0.03)
    # The left edge is at 10.25: a quarter of its column is free.
    np.testing.assert_allclose(layer.alpha[14, 9:12], [0.0, 0.75, 1.0], atol=1e-6)


def test_nearer_hides_farther_in_any_order():
    far = _square(20.0, (15.0, 15.0, 0.0), (1.0, 0.0, 0.0))
    near = _square(8.0, (15.0, 15.0, 5.0), (0.0, 1.0, 0.0))
    light = _light((0, 0, 1))
    first = render([far, near], 30, 30, light)
    second = render([near, far], 30, 30, light)
    np.testing.assert_array_equal(first.colour, second.colour)
    assert first.colour[15, 15, 1] > 0.9 and first.colour[15, 15, 0] == 0.0
    assert first.colour[7, 7, 0] > 0.9 and first.colour[7, 7, 1] == 0.0


@pytest.mark.parametrize("degrees", [0.0, 40.0, 75.0])
def test_direct_light_follows_the_cosine(degrees: float):
    angle = np.deg2rad(degrees)
    light = _light((np.sin(angle), 0.0, np.cos(angle)), sun=0.8)
    part = _square(20.0, (15.0, 15.0, 0.0), (0.5, 0.25, 1.0))
    colour = render([part], 30, 30, light).colour[15, 15]
    # A fifth of the light wraps around, as it does on petals.
    expected = np.array([0.5, 0.25, 1.0]) * 0.8 * (0.8 * np.cos(angle) + 0.2)
    np.testing.assert_allclose(colour, expected, rtol=1e-5)


def test_sky_light_does_not_depend_on_the_sun():
    part = _square(20.0, (15.0, 15.0, 0.0), (0.5, 0.5, 0.5))
    colour = render([part], 30, 30, _light((1, 0, 1), sun=0.0, sky=0.6)).colour[15, 15]
    np.testing.assert_allclose(colour, 0.5 * 0.6 * 0.75, rtol=1e-5)


def test_light_from_behind_shines_through_what_is_translucent():
    light = _light((0.0, 0.0, -1.0))
    opaque = _square(20.0, (15.0, 15.0, 0.0), (1.0, 1.0, 1.0))
    thin = _square(20.0, (15.0, 15.0, 0.0), (1.0, 1.0, 1.0), translucency=0.5)
    assert render([opaque], 30, 30, light).colour[15, 15, 0] == 0.0
    np.testing.assert_allclose(render([thin], 30, 30, light).colour[15, 15], 0.5, rtol=1e-5)


def test_shadow_falls_away_from_the_sun():
    ground = _square(40.0, (20.0, 20.0, 0.0), (1.0, 1.0, 1.0))
    block = _square(8.0, (20.0, 20.0, 4.0), (0.0, 0.0, 0.0))
    # The sun is to the left and 45 degrees up, the block covers columns 16 to 24 at a height of 4:
    # the shadow cannot reach beyond column 28.
    colour = render([ground, block], 40, 40, _light((-1.0, 0.0, 1.0)), reach=8.0).colour[..., 0]
    assert colour[20, 25] < 0.8 * colour[20, 36]
    np.testing.assert_allclose(colour[20, 28:], colour[20, 36], rtol=1e-5)
    np.testing.assert_allclose(colour[20, :16], colour[20, 36], rtol=1e-5)


def test_gaps_between_points_are_closed():
    part = _square(20.0, (15.0, 15.0, 0.0), (1.0, 1.0, 1.0))
    # Every fourth point is gone, so that single subpixels stay empty.
    kept = np.arange(part.sheet.position.shape[1]) % 4 > 0
    sheet = Sheet(
        part.sheet.position[:, kept], part.sheet.normal[:, kept], part.sheet.colour[:, kept]
    )
    sparse = Part(sheet, part.rotation, part.scale, part.offset, part.tint)
    layer = render([sparse], 30, 30, _light((0, 0, 1)), fineness=3)
    np.testing.assert_allclose(layer.alpha[7:23, 7:23], 1.0, atol=1e-6)


def test_what_is_outside_leaves_no_trace():
    outside = _square(10.0, (-60.0, 20.0, 30.0), (1.0, 1.0, 1.0))
    inside = _square(10.0, (20.0, 20.0, 0.0), (1.0, 1.0, 1.0))
    light = _light((-1.0, 0.0, 1.0))
    alone, both = (render(parts, 40, 40, light) for parts in ([inside], [inside, outside]))
    np.testing.assert_array_equal(alone.colour, both.colour)


def test_too_many_points_are_refused():
    part = _square(10.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="too many points"):
        render([part] * (2**26 // part.points + 1), 8, 8, _light((0, 0, 1)))


def test_frames_are_rotations_onto_their_axes():
    rng = np.random.default_rng(0)
    axes = np.concatenate([rng.normal(size=(50, 3)), [[0, 1, 0], [0, -2, 0.01]]])
    rotation = frames(axes, rng.normal(size=52))
    np.testing.assert_allclose(
        rotation @ rotation.swapaxes(1, 2), np.eye(3)[None].repeat(52, 0), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotation), 1.0)
    np.testing.assert_allclose(
        rotation[:, :, 2], axes / np.linalg.norm(axes, axis=1, keepdims=True), atol=1e-12
    )


def test_petals_are_turned_around_the_axis_and_raised():
    quarter = np.array([np.pi / 2])
    zero = np.zeros(1)
    np.testing.assert_allclose(around(quarter, zero, zero)[0] @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(around(zero, quarter, zero)[0] @ [1, 0, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(around(zero, zero, quarter)[0] @ [0, 1, 0], [0, 0, 1], atol=1e-12)


def test_normals_of_a_paraboloid():
    x, y = np.meshgrid(np.linspace(-1, 1, 201), np.linspace(-1, 1, 201), indexing="ij")
    found = normals(np.stack([x, y, 0.5 * (x * x + y * y)]).astype(np.float32))
    expected = np.stack([-x, -y, np.ones_like(x)])
    expected /= np.linalg.norm(expected, axis=0)
    np.testing.assert_allclose(found, expected, atol=0.02)
