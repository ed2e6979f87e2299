"""Turns one ring of petals into a curved, painted surface.

Placing it around the axis, and the other organs of a blossom, is the business of `blossom.py`.
"""

from __future__ import annotations

import numpy as np

from components.synthetic_flowers.colours import Colour, Floats
from components.synthetic_flowers.geometry import Doubles, normals
from components.synthetic_flowers.noise import mix, noise, step
from components.synthetic_flowers.species import Pattern, Whorl
from components.synthetic_flowers.surfaces import Sheet

# Points for each subpixel along a line. A few gaps remain, which `rendering.py` closes.
DENSITY = 1.0


def paint_petal(
    rng: np.random.Generator, pattern: Pattern, whorl: Whorl, pixels: float, hue_shift: float = 0.0
) -> Floats:
    """Paints the skin that all petals of a blossom with this pattern wear.

    Args:
        rng: Source of what differs between blossoms: veins, spots, streaks.
        pattern: The paint.
        whorl: The largest ring of petals, for its proportions.
        pixels: The blossom's radius in subpixels. The skin has half that resolution.
        hue_shift: Added to every hue.

    Returns:
        Linear reflectance, float32 [3, rows, columns]: from base to tip, from side to side.
    """
    rows = max(8, round(0.6 * whorl.length * pixels))
    columns = max(8, round(1.2 * whorl.width * whorl.length * pixels))
    s, t = grid(rows, columns)
    return _paint(rng, pattern, whorl, s.astype(np.float32), t.astype(np.float32), hue_shift)


def petal_sheet(
    rng: np.random.Generator,
    whorl: Whorl,
    skin: Floats,
    pixels: float,
    *,
    gloss: float,
    back: float,
) -> Sheet:
    """Shapes a petal.

    Args:
        rng: Source of what differs between petals: waves and teeth.
        whorl: The shape.
        skin: What is painted on it, from `paint_petal`.
        pixels: The blossom's radius in subpixels, which decides how many points are needed.
        gloss: Strength of highlights.
        back: How bleached the far side is.

    Returns:
        The petal in the frame (away from the axis, sideways, along the axis), in units of the
        blossom's radius.
    """
    rows = max(6, round(DENSITY * 1.05 * whorl.length * pixels))
    columns = max(5, round(DENSITY * 2.0 * whorl.width * whorl.length * pixels))
    phase = float(rng.random()) * 2.0 * np.pi
    position = _shape(whorl, phase, *grid(rows, columns))
    # Light and paint change slowly: they are kept on the skin's coarser grid.
    _, skin_rows, skin_columns = skin.shape
    normal = normals(_shape(whorl, phase, *grid(skin_rows, skin_columns)))
    row = np.arange(rows, dtype=np.int32) * skin_rows // rows
    column = np.arange(columns, dtype=np.int32) * skin_columns // columns
    return Sheet(
        position=position.reshape(3, -1),
        normal=normal.reshape(3, -1),
        colour=skin.reshape(3, -1),
        cell=(row[:, None] * np.int32(skin_columns) + column[None, :]).ravel(),
        translucency=0.55,
        gloss=gloss,
        back=back,
    )


def grid(rows: int, columns: int) -> tuple[Doubles, Doubles]:
    """Returns s, 0 … 1 along [rows, 1], and t, -1 … 1 across [1, columns]."""
    s = (np.arange(rows) + 0.5) / rows
    t = (np.arange(columns) + 0.5) / columns * 2.0 - 1.0
    return s[:, None], t[None, :]


def outline(s: Doubles, base: float, tip: float) -> Doubles:
    """Returns the half width at `s` along a petal, at most 1: s^base (1-s)^tip, scaled."""
    peak = base / (base + tip)
    highest = peak**base * (1.0 - peak) ** tip
    return s**base * (1.0 - s) ** tip / highest


def spread(whorl: Whorl) -> float:
    """Returns how far an open petal reaches from the axis, in units of the blossom's radius."""
    away, _ = _midline(whorl, grid(24, 1)[0])
    return float(away.max())


def _midline(whorl: Whorl, s: Doubles) -> tuple[Doubles, Doubles]:
    """Returns how far from the axis and how high the middle of the petal is at each s."""
    angle = _slope(whorl, s)
    stride = whorl.length / len(s)
    away = whorl.attach + np.cumsum(np.cos(angle), axis=0) * stride
    return away, np.cumsum(np.sin(angle), axis=0) * stride


def _slope(whorl: Whorl, s: Doubles) -> Doubles:
    """Returns the angle above the flower's plane at each s, in radians."""
    return np.deg2rad(whorl.lift + whorl.curl * s + whorl.flare * s * s)


def _shape(whorl: Whorl, phase: float, s: Doubles, t: Doubles) -> Floats:
    """Returns the petal's points, float32 [3, rows, columns]."""
    half = (whorl.width * whorl.length * outline(s, whorl.base, whorl.tip)).astype(np.float32)
    angle = _slope(whorl, s)
    away, up = _midline(whorl, s)
    cosine, sine = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    # Teeth and the notch move points along the petal.
    moved = -whorl.notch * np.maximum(1.0 - np.abs(t) / 0.45, 0.0) ** 1.5
    if whorl.fringe:
        moved = moved + whorl.fringe * (np.abs(((t * 4.5 + phase) % 1.0) * 2.0 - 1.0) * 2.0 - 1.0)
    along = (moved * whorl.length).astype(np.float32) * (s**4).astype(np.float32)
    # sin(5t + 4s + phase), taken apart so that only lines, not the grid, need sines.
    rim = np.abs(t) ** 1.5
    wave = (np.sin(5.0 * t) * rim).astype(np.float32) * np.cos(4.0 * s + phase).astype(np.float32)
    wave += (np.cos(5.0 * t) * rim).astype(np.float32) * np.sin(4.0 * s + phase).astype(np.float32)
    wave += (0.5 * np.sin(9.0 * s + 2.0 * phase)).astype(np.float32)
    bend = (whorl.cup * t * t).astype(np.float32) * half
    bend += (whorl.ruffle * whorl.length * s * s).astype(np.float32) * wave
    position = np.empty((3, len(s), t.shape[1]), np.float32)
    position[0] = away.astype(np.float32) + cosine * along - sine * bend
    position[1] = t.astype(np.float32) * half
    position[2] = up.astype(np.float32) + sine * along + cosine * bend
    return position


def _paint(
    rng: np.random.Generator,
    pattern: Pattern,
    whorl: Whorl,
    s: Floats,
    t: Floats,
    hue_shift: float,
) -> Floats:
    """Returns linear reflectance, float32 [3, rows, columns]."""
    rows, columns = len(s), t.shape[1]
    grain = noise(rng, rows, columns, max(rows / 3.0, 2.0), octaves=2)

    def linear(colour: Colour) -> Floats:
        return colour.shifted(hue_shift).linear()[:, None, None]

    bleached = np.full((1, 1, 1), 0.9, np.float32)

    ramp = step(*pattern.ramp, s + grain * np.float32(0.06) - t * t * np.float32(0.08))
    colour = mix(linear(pattern.inner), linear(pattern.outer), ramp)
    side = np.abs(t)
    if pattern.edge_width:
        rim = np.maximum(side, step(0.55, 1.0, s)) + grain * np.float32(0.03)
        band = step(1.0 - 1.7 * pattern.edge_width, 1.0 - 0.6 * pattern.edge_width, rim)
        colour = mix(colour, linear(pattern.edge), band * step(0.05, 0.3, s))
    if pattern.vein:
        # Veins fan out: equally spaced across, nearly parallel along, and fading to the rim.
        across = (t + grain * np.float32(0.03)) * np.float32(pattern.veins / 2.0)
        ridge = np.abs(across - np.floor(across) - np.float32(0.5)) * np.float32(2.0)
        line = step(0.62, 1.0, ridge) * (np.float32(1.0) - s * np.float32(0.75))
        colour = colour * (np.float32(1.0) - line * np.float32(0.6 * max(pattern.vein, 0.0)))
        pale = line * np.float32(0.7 * max(-pattern.vein, 0.0))
        colour = mix(colour, bleached, pale)
    if pattern.midrib:
        line = step(0.16, 0.02, side) * step(1.0, 0.6, s)
        colour = colour * (np.float32(1.0) - line * np.float32(0.5 * max(pattern.midrib, 0.0)))
        colour = mix(colour, bleached, line * np.float32(0.6 * max(-pattern.midrib, 0.0)))
    if pattern.blotch_size:
        reach = s * (np.float32(1.0) + t * t * np.float32(0.6)) + grain * np.float32(0.05)
        blotch = step(1.12 * pattern.blotch_size, 0.82 * pattern.blotch_size, reach)
        colour = mix(colour, linear(pattern.blotch), blotch)
    for _ in range(pattern.spots):
        # Drawn towards the base, where flowers have them.
        at_s = 0.15 + 0.65 * float(rng.random()) ** 1.4
        at_t = 1.5 * float(rng.random()) - 0.75
        size = 0.018 + 0.022 * float(rng.random())
        stretch = np.float32(max(whorl.width, 0.1))
        ds, dt = s - np.float32(at_s), (t - np.float32(at_t)) * stretch
        squared: Floats = ds**2 + dt**2
        near = step((1.5 * size) ** 2, (0.6 * size) ** 2, squared)
        colour = mix(colour, linear(pattern.spot), near * np.float32(0.85))
    # Fine streaks along the petal, and a soft unevenness.
    streaks = noise(rng, 3, columns, 2.0)[1:2] * np.float32(0.05)
    return np.maximum(colour * (np.float32(1.0) + streaks + grain * np.float32(0.05)), 0.0)
