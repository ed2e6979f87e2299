"""Composes a photograph: blossoms of one species in a place, in a light, through a camera.

Everything drawn here belongs to the image and not to the species.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from components.synthetic_flowers.backdrops import draw_backdrop
from components.synthetic_flowers.blossom import blossom_parts
from components.synthetic_flowers.camera import encode_jpeg, expose
from components.synthetic_flowers.colours import Floats
from components.synthetic_flowers.greenery import blade_parts, stem_part
from components.synthetic_flowers.leaves import any_leaf, leaf_parts
from components.synthetic_flowers.noise import blur
from components.synthetic_flowers.petals import spread
from components.synthetic_flowers.pose import Pose
from components.synthetic_flowers.rendering import render
from components.synthetic_flowers.species import Species
from components.synthetic_flowers.streams import between
from components.synthetic_flowers.surfaces import Layer, Light

_ASPECTS = (1.0, 1.25, 4 / 3, 4 / 3, 1.5)


def photograph(rng: np.random.Generator, species: Species, image_size: int) -> bytes:
    """Returns `draw_photo` as a JPEG file of varying quality."""
    pixels = draw_photo(rng, species, image_size)
    return encode_jpeg(pixels, int(rng.integers(70, 96)))


def draw_photo(
    rng: np.random.Generator, species: Species, image_size: int
) -> npt.NDArray[np.uint8]:
    """Draws one photograph.

    Args:
        rng: The image's own stream; everything that varies comes from it.
        species: What flowers in it.
        image_size: Its shorter side in pixels.

    Returns:
        RGB, uint8 [H, W, 3].
    """
    longer = round(image_size * _ASPECTS[int(rng.integers(len(_ASPECTS)))])
    upright = rng.random() < 0.5
    height, width = (longer, image_size) if upright else (image_size, longer)
    light = draw_light(rng)
    out_of_focus = image_size * between(rng, (0.0, 0.05))
    picture, near = draw_backdrop(rng, height, width, light, out_of_focus)
    poses = draw_poses(rng, height, width, spread(species.whorls[0]))
    _lay_over(picture, _greens(rng, species, poses, height, width, light), 0, 0)
    for pose in poses:
        _add_blossom(rng, picture, species, pose, light, near, image_size)
    if rng.random() < 0.25:
        _lay_over(picture, _foreground(rng, height, width, light), 0, 0)
    return expose(rng, picture)


def draw_light(rng: np.random.Generator) -> Light:
    """Draws sunshine, shade, or sun from behind, of any warmth."""
    turn = between(rng, (0.0, 2.0 * np.pi))
    # From above more often than from below.
    x, y = float(np.cos(turn)), float(np.sin(turn)) * 0.7 - 0.45
    z = between(rng, (0.25, 1.4))
    mood = rng.random()
    if mood < 0.15:
        z = -0.45  # Behind the flower: petals glow.
    length = float(np.sqrt(x * x + y * y + z * z))
    strength = between(rng, (0.8, 1.4)) if mood < 0.65 else between(rng, (0.2, 0.6))
    warmth = between(rng, (-0.08, 0.22))
    sky = 1.0 - 0.5 * strength
    return Light(
        direction=(x / length, y / length, z / length),
        sun=np.array([strength * (1 + warmth), strength, strength * (1 - warmth)], np.float32),
        sky=np.array([sky * 0.93, sky, sky * (1.1 - 0.3 * warmth)], np.float32),
        softness=max(0.0, min(0.9, 1.1 - 0.8 * strength)),
    )


def draw_poses(rng: np.random.Generator, height: int, width: int, reach: float) -> list[Pose]:
    """Draws one to five blossoms of a plant, the farthest first.

    Args:
        rng: Source of randomness.
        height: Rows of the picture.
        width: Its columns.
        reach: How far petals reach from the axis, as a share of their length. Flowers whose
            petals stand up are taken from nearer by.
    """
    size = min(height, width)
    count = int(np.searchsorted(np.cumsum((0.55, 0.2, 0.12, 0.08, 0.05)), float(rng.random())))
    count = min(count, 4) + 1
    largest = between(rng, (0.28, 0.52) if count == 1 else (0.20, 0.36)) * size
    largest /= min(1.0, max(0.6, reach))
    facing = (float(rng.normal(0.0, 0.5)), float(rng.normal(-0.2, 0.45)))
    hue_shift = float(rng.normal(0.0, 0.009))
    opening = 1.0 - 0.45 * float(rng.random()) ** 2
    poses: list[Pose] = []
    for number in range(count):
        radius = largest * (1.0 if number == 0 else between(rng, (0.55, 1.0)))
        for _ in range(12):
            x = width * between(rng, (0.22, 0.78) if number == 0 else (0.05, 0.95))
            y = height * between(rng, (0.25, 0.70) if number == 0 else (0.05, 0.90))
            if all(np.hypot(x - p.x, y - p.y) > 0.75 * (radius + p.radius) for p in poses):
                break
        else:
            continue
        axis = np.array(
            [
                facing[0] + float(rng.normal(0.0, 0.2)),
                facing[1] + float(rng.normal(0.0, 0.2)),
                between(rng, (0.55, 1.1)),
            ]
        )
        axis /= np.sqrt((axis**2).sum())
        poses.append(
            Pose(
                x=x,
                y=y,
                radius=radius,
                axis=(float(axis[0]), float(axis[1]), float(axis[2])),
                roll=float(rng.normal(0.0, 0.35)),
                opening=min(1.0, max(0.3, opening + float(rng.normal(0.0, 0.07)))),
                hue_shift=hue_shift + float(rng.normal(0.0, 0.004)),
                missing=between(rng, (0.05, 0.25)) if rng.random() < 0.15 else 0.0,
                fading=between(rng, (0.1, 0.6)) if rng.random() < 0.2 else 0.0,
            )
        )
    return poses[::-1]


def _greens(
    rng: np.random.Generator,
    species: Species,
    poses: list[Pose],
    height: int,
    width: int,
    light: Light,
) -> Layer:
    """Stems and leaves of the plant itself."""
    size = min(height, width)
    green = species.leaf.colour.shifted(between(rng, (-0.02, 0.02)), between(rng, (0.8, 1.1)))
    leaf = dataclasses.replace(species.leaf, colour=green)
    foot = (width * between(rng, (0.3, 0.7)), height * 1.1)
    parts = [
        stem_part(rng, (pose.x, pose.y), pose.axis, foot, max(0.6, 0.05 * pose.radius), 2, green)
        for pose in poses
    ]
    count = int(rng.integers(0, 7))
    if count:
        where = rng.random((count, 2))
        top = np.array([poses[-1].x, poses[-1].y])
        along = where[:, :1]
        places = top * (1 - along) + np.array(foot) * along + (where[:, 1:] - 0.5) * 0.3 * size
        length = between(rng, (0.5, 1.1)) * max(pose.radius for pose in poses) + 4.0
        part = leaf_parts(rng, leaf, places, length, 2)
        shifted = part.offset + np.array([0.0, 0.0, -2.0], np.float32)
        parts.append(dataclasses.replace(part, offset=shifted))
    return render(parts, height, width, light, reach=0.05 * size)


def _add_blossom(
    rng: np.random.Generator,
    picture: Floats,
    species: Species,
    pose: Pose,
    light: Light,
    near: bool,
    image_size: int,
) -> None:
    """Draws a blossom in a window around it, with its shadow on what is behind."""
    margin = 1.45 * pose.radius * (1.0 + 0.5 * species.bilateral) + 3.0
    left, top = int(pose.x - margin), int(pose.y - margin)
    side = int(2.0 * margin) + 1
    local = dataclasses.replace(pose, x=pose.x - left, y=pose.y - top)
    layer = render(
        blossom_parts(rng, species, local, 2), side, side, light, reach=0.22 * pose.radius
    )
    defocus = image_size * (0.02 * float(rng.random()) ** 3)
    layer = Layer(blur(layer.colour, defocus), blur(layer.alpha, defocus))
    if near:
        away = 0.25 * pose.radius * between(rng, (0.5, 1.5))
        shadow = blur(layer.alpha, 0.12 * pose.radius + 1.0)
        dark = Layer(np.zeros_like(layer.colour), shadow * np.float32(0.55 * (1 - light.softness)))
        _lay_over(
            picture,
            dark,
            top - round(light.direction[1] * away),
            left - round(light.direction[0] * away),
        )
    _lay_over(picture, layer, top, left)


def _foreground(rng: np.random.Generator, height: int, width: int, light: Light) -> Layer:
    """A leaf or some blades of grass between flower and camera, out of focus."""
    size = min(height, width)
    if rng.random() < 0.5:
        colour = any_leaf(rng).colour
        count = int(rng.integers(1, 7))
        thick = size * between(rng, (0.01, 0.03))
        parts = blade_parts(rng, count, height, width, thick, 1, colour)
    else:
        corner = rng.random((int(rng.integers(1, 3)), 2))
        edge = np.where(corner < 0.5, corner * 0.3 - 0.1, 1.1 - (1.0 - corner) * 0.3)
        places = edge * np.array([width, height])
        parts = [leaf_parts(rng, any_leaf(rng), places, size * between(rng, (0.3, 0.6)), 1)]
    layer = render(parts, height, width, light, fineness=1)
    radius = size * between(rng, (0.004, 0.04))
    return Layer(blur(layer.colour, radius), blur(layer.alpha, radius))


def _lay_over(picture: Floats, layer: Layer, top: int, left: int) -> None:
    """Puts a layer on a picture, corner at (top, left); what sticks out is cut off."""
    height, width = picture.shape[:2]
    rows, columns = layer.alpha.shape
    r0, r1 = max(0, top), min(height, top + rows)
    c0, c1 = max(0, left), min(width, left + columns)
    if r0 >= r1 or c0 >= c1:
        return
    inner = (slice(r0 - top, r1 - top), slice(c0 - left, c1 - left))
    under = picture[r0:r1, c0:c1]
    under *= np.maximum(np.float32(1.0) - layer.alpha[inner], np.float32(0.0))[..., None]
    under += layer.colour[inner]
