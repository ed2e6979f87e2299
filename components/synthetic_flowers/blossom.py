"""Assembles a blossom from its organs, turned and opened as an image wants it."""

from __future__ import annotations

import dataclasses

import numpy as np

from components.synthetic_flowers.colours import Colour, Floats
from components.synthetic_flowers.geometry import Doubles, around, frames
from components.synthetic_flowers.petals import leaf_sheet, paint_petal, petal_sheet
from components.synthetic_flowers.rendering import Part, Sheet
from components.synthetic_flowers.solids import bead, trumpet, tube
from components.synthetic_flowers.species import Leaf, Pattern, Species, Whorl

_GOLDEN_ANGLE = 2.399963229728653


@dataclasses.dataclass(frozen=True)
class Pose:
    """Where a blossom is, where it looks and in what state it is.

    Attributes:
        x: Column of its middle, in pixels.
        y: Row of its middle.
        z: Height above the picture's plane, in pixels.
        radius: Length of its petals, in pixels.
        axis: Unit vector that it faces, in camera space.
        roll: Turn about that axis, in radians.
        opening: 0.3 (hardly open) … 1 (open).
        hue_shift: Added to every petal's hue.
        missing: Share of petals that have fallen.
        fading: How far the petals are bleached by age, 0 … 1.
    """

    x: float
    y: float
    z: float
    radius: float
    axis: tuple[float, float, float]
    roll: float
    opening: float
    hue_shift: float
    missing: float
    fading: float


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
        Parts for `rendering.render`, about 50,000 points for a blossom of 50 pixels.
    """
    frame = frames(np.array([pose.axis]), np.array([pose.roll]))[0]
    # Sized for the largest petal, so that it has no holes.
    pixels = pose.radius * fineness * (1.0 + species.bilateral)
    patterns = [_faded(species.pattern, pose.fading)]
    if species.outer_whorls < len(species.whorls):
        patterns.append(_faded(species.inner_pattern, pose.fading))
    skins = [
        paint_petal(rng, pattern, species.whorls[0], pixels, pose.hue_shift) for pattern in patterns
    ]
    parts = []
    for ring, whorl in enumerate(species.whorls):
        inner = int(ring >= species.outer_whorls)
        parts.extend(
            _ring_parts(
                rng, species, pose, ring, whorl, patterns[inner], skins[inner], frame, pixels
            )
        )
    parts.extend(_centre_parts(rng, species, pose, frame, pixels))
    if species.sepals:
        parts.append(_sepals(rng, species, pose, frame, pixels))
    return parts


def place(sheet: Sheet, pose: Pose, rotation: Doubles, scale: Doubles, tint: Doubles) -> Part:
    """Puts P copies of a sheet, given in units of the radius, at a blossom's middle."""
    count = len(rotation)
    return Part(
        sheet=sheet,
        rotation=rotation.astype(np.float32),
        scale=(scale * pose.radius).astype(np.float32),
        offset=np.tile(np.array([pose.x, pose.y, pose.z], np.float32), (count, 1)),
        tint=np.broadcast_to(tint, (count, 3)).astype(np.float32),
    )


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


def _centre_parts(
    rng: np.random.Generator, species: Species, pose: Pose, frame: Doubles, pixels: float
) -> list[Part]:
    centre = species.centre
    parts = []
    if centre.disc:
        parts.append(_disc(rng, species, pose, frame, pixels))
    if centre.trumpet:
        sheet = trumpet(
            rng, centre.trumpet, centre.trumpet_width, pixels, centre.trumpet_colour.linear()
        )
        parts.append(place(sheet, pose, frame[None], np.ones((1, 3)), np.ones(3)))
    if centre.pistil:
        top = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.5], [0.01, 0.0, 0.85], [0.02, 0.0, 1.0]])
        radius = np.array([0.05, 0.03, 0.03, 0.055])
        sheet = tube(top * centre.pistil, radius, pixels, centre.pistil_colour.linear())
        parts.append(place(sheet, pose, frame[None], np.ones((1, 3)), np.ones(3)))
    if centre.stamens:
        parts.extend(_stamens(rng, species, pose, frame, pixels))
    return parts


def _disc(
    rng: np.random.Generator, species: Species, pose: Pose, frame: Doubles, pixels: float
) -> Part:
    """Florets on a dome, in the spiral in which sunflowers set their seeds."""
    centre = species.centre
    # No more florets than can be told apart.
    count = int(min(140, max(12, (centre.disc * pixels / 2.2) ** 2)))
    order = np.arange(count)
    share = np.sqrt((order + 0.5) / count)
    distance = centre.disc * share
    angle = order * _GOLDEN_ANGLE
    height = centre.disc * centre.dome * (1.0 - share**2) + 0.03
    where = np.stack([distance * np.cos(angle), distance * np.sin(angle), height], axis=1)
    size = 1.25 * centre.disc / np.sqrt(count)
    colours = np.stack([centre.inner.linear(), centre.outer.linear()]).astype(np.float64)
    tint = colours[0] + (colours[1] - colours[0]) * (share[:, None] ** 2)
    tint = tint * (1.0 + rng.normal(0.0, 0.12, (count, 1)))
    sheet = bead(size * pixels, np.ones(3, np.float32))
    part = place(sheet, pose, np.tile(frame, (count, 1, 1)), np.full((count, 3), size), tint)
    moved = (where @ frame.T * pose.radius).astype(np.float32)
    return dataclasses.replace(part, offset=part.offset + moved)


def _stamens(
    rng: np.random.Generator, species: Species, pose: Pose, frame: Doubles, pixels: float
) -> list[Part]:
    centre = species.centre
    count = centre.stamens
    azimuth = np.arange(count) * (_GOLDEN_ANGLE if count > 10 else 2.0 * np.pi / count)
    azimuth = azimuth + rng.normal(0.0, 0.12, count)
    spread = np.deg2rad(centre.stamen_spread * (0.4 + 0.6 * pose.opening))
    # Many stamens fill the cone; a few stand on its surface.
    fill = np.sqrt((np.arange(count) + 0.5) / count) if count > 10 else np.ones(count)
    lift = np.pi / 2.0 - spread * fill + rng.normal(0.0, 0.08, count)
    length = centre.stamen_length * (1.0 + rng.normal(0.0, 0.08, count))
    rotation = frame @ around(azimuth, lift, np.zeros(count))
    bow = np.array([[0.0, 0.0, 0.0], [0.35, 0.0, 0.06], [0.7, 0.0, 0.06], [1.0, 0.0, 0.0]])
    thin = max(0.012, 0.45 / pixels)
    thread = tube(
        bow,
        np.full(4, thin / centre.stamen_length),
        pixels * centre.stamen_length,
        centre.filament.linear(),
    )
    sizes = np.repeat(length[:, None], 3, axis=1)
    threads = place(thread, pose, rotation, sizes, np.ones(3))
    size = max(centre.anther_size, 0.8 / pixels)
    anther = bead(size * pixels * 1.3, centre.anther.linear())
    tint = 1.0 + rng.normal(0.0, 0.1, (count, 1))
    # Anthers lie across the thread's end.
    beads = place(anther, pose, rotation, np.tile([size, 1.7 * size, size], (count, 1)), tint)
    ends = (rotation[:, :, 0] * length[:, None] * pose.radius).astype(np.float32)
    return [threads, dataclasses.replace(beads, offset=beads.offset + ends)]


def _sepals(
    rng: np.random.Generator, species: Species, pose: Pose, frame: Doubles, pixels: float
) -> Part:
    leaf = Leaf(0.2, 0.8, 0.0, Colour(0.27, 0.55, 0.45), 0.1)
    sheet = leaf_sheet(rng, leaf, 0.5 * pixels, 0.0)
    count = species.sepals
    azimuth = (np.arange(count) + 0.5) * (2.0 * np.pi / count)
    lift = np.full(count, np.deg2rad(min(species.whorls[0].lift * 0.8, 60.0) - 32.0))
    lift = lift + np.deg2rad(60.0) * (1.0 - pose.opening)
    rotation = frame @ around(azimuth, lift, np.zeros(count))
    part = place(sheet, pose, rotation, np.full((count, 3), 0.5), np.ones(3))
    down = (-0.06 * pose.radius * frame[:, 2]).astype(np.float32)
    return dataclasses.replace(part, offset=part.offset + down)
