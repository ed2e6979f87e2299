"""Assembles a blossom from its organs, turned and opened as an image wants it."""

from __future__ import annotations

import dataclasses

import numpy as np

from components.synthetic_flowers.centres import centre_parts
from components.synthetic_flowers.colours import Colour, Floats
from components.synthetic_flowers.geometry import Doubles, around, frames
from components.synthetic_flowers.leaves import leaf_sheet
from components.synthetic_flowers.petals import paint_petal, petal_sheet
from components.synthetic_flowers.pose import Pose, place
from components.synthetic_flowers.species import Leaf, Pattern, Species, Whorl
from components.synthetic_flowers.surfaces import Part


def blossom_parts(
    rng: np.random.Generator, species: Species, pose: Pose, fineness: int
) -> list[Part]:
    """Builds a blossom.

    Args:
        rng: Source of what differs between blossoms of a species.
        species: The traits.
        pose: Where it is and in what state.
        fineness: Subpixels to a side of a pixel.

    Returns:
        Parts for `rendering.render`, some 60,000 points for a radius of 40 pixels.
    """
    frame = frames(np.array([pose.axis]), np.array([pose.roll]))[0]
    # Sized for the largest petal, so that it has no holes.
    pixels = pose.radius * fineness * (1.0 + species.bilateral)
    patterns = [_faded(species.pattern, pose.fading)]
    if species.inner_pattern is not None:
        patterns.append(_faded(species.inner_pattern, pose.fading))
    skins = [
        paint_petal(rng, pattern, species.whorls[0], pixels, pose.hue_shift) for pattern in patterns
    ]
    parts = []
    for ring, whorl in enumerate(species.whorls):
        inner = len(patterns) - 1 if ring >= len(species.whorls) - 2 else 0
        parts.extend(
            _ring_parts(
                rng, species, pose, ring, whorl, patterns[inner], skins[inner], frame, pixels
            )
        )
    parts.extend(centre_parts(rng, species.centre, pose, frame, pixels))
    if species.sepals:
        parts.append(_sepals(rng, species, pose, frame, pixels))
    return parts


def _opened(whorl: Whorl, opening: float) -> Whorl:
    """Closes a ring of petals: they stand up, and bend inwards."""
    closed = 1.0 - opening
    return dataclasses.replace(
        whorl,
        lift=whorl.lift + max(48.0 - whorl.lift, 0.0) * closed,
        curl=whorl.curl + (75.0 - whorl.curl) * closed,
        flare=whorl.flare * opening,
        cup=whorl.cup + 0.3 * closed,
    )


def _faded(pattern: Pattern, fading: float) -> Pattern:
    """Bleaches a pattern, as age does."""
    if not fading:
        return pattern
    left = 1.0 - 0.5 * fading
    return dataclasses.replace(
        pattern,
        inner=pattern.inner.shifted(0.0, left, 0.97),
        outer=pattern.outer.shifted(0.0, left, 0.97),
    )


def _ring_parts(
    rng: np.random.Generator,
    species: Species,
    pose: Pose,
    ring: int,
    whorl: Whorl,
    pattern: Pattern,
    skin: Floats,
    frame: Doubles,
    pixels: float,
) -> list[Part]:
    count = whorl.count
    # A ring's petals stand between those of the ring around it.
    azimuth = (np.arange(count) + 0.5 * (ring % 2)) * (2.0 * np.pi / count)
    if species.bilateral:
        azimuth = azimuth + np.pi / 2.0
    # Larger below, which is where the flower's second axis points before it is rolled.
    lower = 1.0 + species.bilateral * (0.5 + 0.5 * np.sin(azimuth)) ** 2
    loose = species.looseness
    azimuth = azimuth + rng.normal(0.0, 0.25 * loose, count) * np.pi / count
    lift = rng.normal(0.0, np.deg2rad(6.0 * loose + 2.0), count)
    twist = rng.normal(0.0, np.deg2rad(8.0 * loose + 4.0), count)
    # A pinwheel: each petal has one side over its neighbour and one under.
    twist += np.deg2rad(7.0) * (1.0 if whorl.width > 0.25 else 0.4)
    scale = np.stack(
        [
            lower * (1.0 + rng.normal(0.0, 0.03 + 0.05 * loose, count)),
            lower * (1.0 + rng.normal(0.0, 0.04 + 0.05 * loose, count)),
            lower,
        ],
        axis=1,
    )
    tint = 1.0 + rng.normal(0.0, 0.04, (count, 1)) + rng.normal(0.0, 0.015, (count, 3))
    stays = rng.random(count) >= pose.missing
    if not stays.any():
        stays[0] = True
    rotation = frame @ around(azimuth, lift, twist)
    parts = []
    # Few petals are looked at one by one.
    variants = 2 if count <= 8 and len(species.whorls) <= 2 else 1
    for variant in range(variants):
        mine = stays & (np.arange(count) % variants == variant)
        bent = dataclasses.replace(whorl, curl=whorl.curl + float(rng.normal(0.0, 7.0)))
        sheet = petal_sheet(
            rng,
            _opened(bent, pose.opening),
            skin,
            pixels,
            gloss=pattern.gloss,
            back=pattern.back,
        )
        if mine.any():
            parts.append(place(sheet, pose, rotation[mine], scale[mine], tint[mine]))
    return parts


def _sepals(
    rng: np.random.Generator, species: Species, pose: Pose, frame: Doubles, pixels: float
) -> Part:
    leaf = Leaf(0.2, 0.8, 0.0, Colour(0.27, 0.55, 0.45), 0.1)
    sheet = leaf_sheet(rng, leaf, 0.5 * pixels, 0.0)
    count = species.sepals
    azimuth = (np.arange(count, dtype=np.float64) + 0.5) * (2.0 * np.pi / count)
    lift = np.full(count, np.deg2rad(min(species.whorls[0].lift * 0.8, 60.0) - 32.0))
    lift = lift + np.deg2rad(60.0) * (1.0 - pose.opening)
    rotation = frame @ around(azimuth, lift, np.zeros(count))
    part = place(sheet, pose, rotation, np.full((count, 3), 0.5), np.ones(3))
    down = (-0.06 * pose.radius * frame[:, 2]).astype(np.float32)
    return dataclasses.replace(part, offset=part.offset + down)
