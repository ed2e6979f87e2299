"""What is behind the flowers: foliage, grass, soil, wall, water, sky, other flowers.

A backdrop is drawn without knowing the species, so that it cannot give it away.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from components.synthetic_flowers.colours import FAMILIES, Colour, Floats
from components.synthetic_flowers.greenery import blade_parts
from components.synthetic_flowers.leaves import any_leaf, leaf_parts
from components.synthetic_flowers.noise import blur, enlarge, mix, noise, step
from components.synthetic_flowers.rendering import render
from components.synthetic_flowers.streams import between
from components.synthetic_flowers.surfaces import Light

Backdrop = Callable[[np.random.Generator, int, int, Light], Floats]


def draw_backdrop(
    rng: np.random.Generator, height: int, width: int, light: Light, out_of_focus: float
) -> tuple[Floats, bool]:
    """Draws one of the backdrops.

    Args:
        rng: Source of randomness.
        height: Rows H.
        width: Columns W.
        light: The scene's light.
        out_of_focus: Radius of the blur in pixels.

    Returns:
        Linear RGB, float32 [H, W, 3], and whether it is near enough for shadows to fall on it.
    """
    weights = np.array([weight for _, weight, _ in _BACKDROPS])
    choice = int(np.searchsorted(np.cumsum(weights), float(rng.random()) * weights.sum()))
    paint, _, near = _BACKDROPS[choice]
    # A blurred picture needs no fine drawing.
    coarse = 2 if out_of_focus > 2.0 else 1
    picture = paint(rng, -(-height // coarse), -(-width // coarse), light)
    picture = blur(picture, out_of_focus / coarse)
    if coarse > 1:
        picture = enlarge(picture, height, width)
    return np.maximum(picture, 0.0), near


def _lit(albedo: Floats, relief: Floats, light: Light, steepness: float) -> Floats:
    """Lights a relief from the sun's side. albedo [H, W, 3], relief [H, W]."""
    slope_y, slope_x = np.gradient(relief, axis=0), np.gradient(relief, axis=1)
    lean = slope_x * np.float32(-light.direction[0]) + slope_y * np.float32(-light.direction[1])
    sun = np.clip(np.float32(max(light.direction[2], 0.25)) + lean * np.float32(steepness), 0, 1.4)
    return albedo * (sun[..., None] * light.sun + light.sky)


def _earthy(rng: np.random.Generator) -> Floats:
    hue = between(rng, (0.04, 0.12))
    return Colour(hue, between(rng, (0.15, 0.5)), between(rng, (0.3, 0.6))).linear()


def _soil(rng: np.random.Generator, height: int, width: int, light: Light) -> Floats:
    size = min(height, width)
    relief = noise(rng, height, width, size * between(rng, (0.08, 0.25)), octaves=5)
    stones = np.maximum(noise(rng, height, width, size * 0.06, octaves=1) - 0.25, 0.0)
    relief = relief + stones
    tone = step(-1.2, 1.2, noise(rng, height, width, size * 0.3, octaves=3))
    albedo = mix(_earthy(rng), _earthy(rng), tone[..., None])
    dark = step(-1.4, 0.2, relief)
    return _lit(albedo * (0.25 + 0.75 * dark[..., None]), relief, light, 3.5)


def _foliage(rng: np.random.Generator, height: int, width: int, light: Light) -> Floats:
    size = min(height, width)
    length = size * between(rng, (0.18, 0.6))
    count = int(min(90, max(10, 5.0 * height * width / length**2)))
    parts = []
    for _ in range(2):
        places = rng.random((count // 2, 2)) * 1.3 - 0.15
        places = places * np.array([width, height])
        leaf = any_leaf(rng)
        parts.append(leaf_parts(rng, leaf, places, length, 1, depth=0.8 * size))
    layer = render(parts, height, width, light, fineness=1, reach=0.1 * length)
    deep = any_leaf(rng).colour.linear() * np.float32(0.25)
    floor = deep * (1.0 + 0.5 * noise(rng, height, width, size * 0.2, octaves=2)[..., None])
    return floor * (1.0 - layer.alpha[..., None]) + layer.colour


def _grass(rng: np.random.Generator, height: int, width: int, light: Light) -> Floats:
    size = min(height, width)
    green = Colour(between(rng, (0.17, 0.33)), between(rng, (0.35, 0.7)), 0.55)
    blades = blade_parts(
        rng, int(rng.integers(60, 130)), height, width, size * between(rng, (0.008, 0.02)), 1, green
    )
    layer = render(blades, height, width, light, fineness=1, reach=0.06 * size)
    tone = noise(rng, height, width, size * 0.3, octaves=3)[..., None]
    floor = green.linear() * np.float32(0.45) * (1.0 + 0.6 * tone)
    return floor * (1.0 - layer.alpha[..., None]) + layer.colour


def _sky(rng: np.random.Generator, height: int, width: int, light: Light) -> Floats:
    zenith = Colour(
        between(rng, (0.56, 0.62)), between(rng, (0.3, 0.75)), between(rng, (0.6, 0.95))
    )
    haze = Colour(0.57, between(rng, (0.02, 0.2)), 0.95)
    down = np.linspace(0.0, 1.0, height, dtype=np.float32)[:, None]
    picture = mix(
        zenith.linear(), haze.linear(), (down * np.ones((1, width), np.float32))[..., None]
    )
    size = min(height, width)
    clouds = noise(rng, height, width, size * 0.6, octaves=5, stretch=1.8)
    cover = step(between(rng, (-0.6, 0.6)), 1.2, clouds)[..., None]
    picture = mix(picture, np.float32(0.9) - 0.25 * step(0.2, 1.6, clouds)[..., None], cover)
    if rng.random() < 0.5:  # Trees on the horizon.
        ridge = (
            height * between(rng, (0.55, 0.95))
            + noise(rng, 2, width, size * 0.2, 4)[0] * size * 0.08
        )
        row = np.arange(height, dtype=np.float32)[:, None]
        wood = step(0.0, 2.0, row - ridge)[..., None]
        green = any_leaf(rng).colour.linear() * (
            np.float32(0.5) + 0.3 * noise(rng, height, width, size * 0.1, octaves=3)[..., None]
        )
        picture = mix(picture, green, wood)
    return picture * np.float32(0.8)


def _wall(rng: np.random.Generator, height: int, width: int, light: Light) -> Floats:
    size = min(height, width)
    paint = Colour(float(rng.random()), between(rng, (0.02, 0.35)), between(rng, (0.35, 0.9)))
    albedo = np.broadcast_to(paint.linear(), (height, width, 3))
    relief = noise(rng, height, width, size * 0.15, octaves=5) * np.float32(
        between(rng, (0.1, 0.5))
    )
    row = np.arange(height, dtype=np.float32)[:, None] + np.zeros((1, width), np.float32)
    column = np.arange(width, dtype=np.float32)[None, :] + np.zeros((height, 1), np.float32)
    kind = rng.random()
    if kind < 0.35:  # Bricks.
        tall = size * between(rng, (0.09, 0.2))
        course = np.floor(row / tall)
        along = column / (2.4 * tall) + (course % 2) * 0.5 + relief * 0.04
        inside = np.minimum((row / tall) % 1.0, 1.0 - (row / tall) % 1.0)
        inside = np.minimum(inside, 2.4 * np.minimum(along % 1.0, 1.0 - along % 1.0))
        brick = step(0.04, 0.1, inside)
        # Each brick has its own tone, from its row and column in the wall.
        number = course * 57.0 + np.floor(along) * 131.0
        tone = 0.75 + 0.5 * ((number * 0.137) % 1.0)
        clay = Colour(between(rng, (0.01, 0.08)), between(rng, (0.3, 0.6)), 0.6).linear()
        albedo = mix(albedo * 0.8, clay * tone[..., None], brick[..., None])
        relief = relief + brick * np.float32(0.6)
    elif kind < 0.7:  # Boards.
        wide = size * between(rng, (0.15, 0.4))
        across = column if rng.random() < 0.5 else row
        grain = noise(rng, height, width, size * 0.04, octaves=3, stretch=8.0)
        if across is column:
            grain = enlarge(np.ascontiguousarray(grain.T), height, width)
        inside = np.minimum((across / wide) % 1.0, 1.0 - (across / wide) % 1.0)
        tone = 0.8 + 0.4 * ((np.floor(across / wide) * 0.37) % 1.0)
        wood = Colour(
            between(rng, (0.05, 0.11)), between(rng, (0.1, 0.6)), between(rng, (0.35, 0.75))
        )
        albedo = (
            wood.linear()
            * ((tone + grain * 0.12) * (0.25 + 0.75 * step(0.0, 0.03, inside)))[..., None]
        )
        relief = grain * np.float32(0.3)
    return _lit(albedo, relief, light, 2.0)


def _water(rng: np.random.Generator, height: int, width: int, light: Light) -> Floats:
    size = min(height, width)
    deep = Colour(between(rng, (0.40, 0.62)), between(rng, (0.3, 0.7)), between(rng, (0.2, 0.5)))
    shine = Colour(0.58, between(rng, (0.1, 0.4)), between(rng, (0.7, 0.95)))
    waves = noise(rng, height, width, size * between(rng, (0.05, 0.15)), octaves=3, stretch=4.0)
    reflected = noise(rng, height, width, size * 0.5, octaves=2)
    share = step(-0.8, 1.3, waves + reflected)[..., None]
    picture = mix(deep.linear(), shine.linear(), share * 0.8)
    glints = step(0.9, 1.3, waves)[..., None]
    return picture * (light.sky + 0.5 * light.sun) + glints * light.sun * np.float32(0.7)


def _bed(rng: np.random.Generator, height: int, width: int, light: Light) -> Floats:
    """Other flowers of any colour, far out of focus, in front of green."""
    size = min(height, width)
    picture = blur(_foliage(rng, height, width, light), 0.05 * size)
    row = np.arange(height, dtype=np.float32)[:, None]
    column = np.arange(width, dtype=np.float32)[None, :]
    # Far flowers are clumps of petals, not discs.
    ragged = noise(rng, height, width, size * 0.09, octaves=2) * np.float32(0.3)
    families = [FAMILIES[int(rng.integers(len(FAMILIES)))] for _ in range(2)]
    for _ in range(int(rng.integers(6, 24))):
        colour = families[int(rng.integers(2))].draw(rng).linear()
        radius = size * between(rng, (0.04, 0.14))
        dy = row - np.float32(height * between(rng, (0.0, 1.0)))
        dx = column - np.float32(width * between(rng, (0.0, 1.0)))
        flat = np.float32(between(rng, (1.0, 2.2)))
        inside = (dx * dx + dy * dy * flat) / np.float32(radius**2)
        share = step(1.25, 0.6, inside + ragged)
        shade = step(1.6, -0.8, inside + dy / np.float32(2.0 * radius) - ragged)[..., None]
        glow = colour * (light.sky + 0.6 * light.sun) * (np.float32(0.4) + np.float32(0.8) * shade)
        picture = mix(picture, glow, share[..., None] * np.float32(between(rng, (0.5, 0.95))))
    return picture


_BACKDROPS: tuple[tuple[Backdrop, float, bool], ...] = (
    (_foliage, 0.27, True),
    (_grass, 0.16, True),
    (_soil, 0.13, True),
    (_sky, 0.08, False),
    (_wall, 0.12, True),
    (_water, 0.08, False),
    (_bed, 0.16, False),
)
