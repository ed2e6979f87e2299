"""The middle of a blossom: disc florets, pistil, stamens, trumpet."""

from __future__ import annotations

import dataclasses

import numpy as np

from components.synthetic_flowers.geometry import Doubles, around
from components.synthetic_flowers.pose import Pose, place
from components.synthetic_flowers.solids import bead, trumpet, tube
from components.synthetic_flowers.species import Centre
from components.synthetic_flowers.surfaces import Part

_GOLDEN_ANGLE = 2.399963229728653


def centre_parts(
    rng: np.random.Generator, centre: Centre, pose: Pose, frame: Doubles, pixels: float
) -> list[Part]:
    """Builds the organs in the middle of a blossom.

    Args:
        rng: Source of what differs between blossoms.
        centre: The species' traits.
        pose: Where the blossom is.
        frame: Its rotation, float64 [3, 3].
        pixels: Its radius in subpixels.
    """
    parts = []
    if centre.disc:
        parts.append(_disc(rng, centre, pose, frame, pixels))
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
        parts.extend(_stamens(rng, centre, pose, frame, pixels))
    return parts


def _disc(
    rng: np.random.Generator, centre: Centre, pose: Pose, frame: Doubles, pixels: float
) -> Part:
    """Florets on a dome, in the spiral in which sunflowers set their seeds."""
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
    rng: np.random.Generator, centre: Centre, pose: Pose, frame: Doubles, pixels: float
) -> list[Part]:
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
