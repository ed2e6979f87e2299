"""Draws what is painted on petals. Which patterns a form of flower has is listed in `forms.py`."""

from __future__ import annotations

import dataclasses

import numpy as np

from components.synthetic_flowers.colours import Colour
from components.synthetic_flowers.species import Pattern
from components.synthetic_flowers.streams import between

WHITE = Colour(0.12, 0.05, 0.97)
YELLOW = Colour(0.14, 0.85, 0.95)
LIME = Colour(0.22, 0.60, 0.75)
BROWN = Colour(0.07, 0.75, 0.35)
MAROON = Colour(0.97, 0.75, 0.30)
NIGHT = Colour(0.80, 0.60, 0.20)
ORANGE = Colour(0.09, 0.90, 0.90)


def draw_patterns(
    rng: np.random.Generator, outer: Colour, kinds: tuple[str, ...]
) -> tuple[Pattern, Pattern | None]:
    """Draws the pattern of the petals and, for `heart`, another one for the inner rings.

    Args:
        rng: Source of randomness.
        outer: The main colour.
        kinds: Those to choose from: the kinds of `draw_pattern`, and `heart`.
    """
    kind = kinds[int(rng.integers(len(kinds)))]
    if kind == "heart":
        return draw_pattern(rng, outer, "plain"), draw_pattern(rng, _heart(rng, outer), "plain")
    return draw_pattern(rng, outer, kind), None


def _heart(rng: np.random.Generator, outer: Colour) -> Colour:
    choices = [c for c in (WHITE, YELLOW, LIME, MAROON) if c.distance(outer) > 0.4]
    return choices[int(rng.integers(len(choices)))]


def draw_pattern(rng: np.random.Generator, outer: Colour, kind: str) -> Pattern:
    """Draws what is painted on petals.

    Args:
        rng: Source of randomness.
        outer: The main colour.
        kind: `plain`, `eye` (another colour near the base), `edge`, `tips`, `veins`, `midrib`,
            `spots`, `blotch`, `flame` (a broad middle stripe), or `face` (eye, blotch and veins).

    Returns:
        The pattern.
    """
    deep = outer.shifted(between(rng, (-0.03, 0.03)), 1.25, 0.55)
    pale = outer.shifted(between(rng, (-0.03, 0.03)), 0.35, 1.12)
    dark = (
        deep if outer.value * outer.saturation > 0.3 else MAROON.shifted(between(rng, (-0.2, 0.1)))
    )
    eyes = [c for c in (WHITE, YELLOW, LIME, MAROON, deep, pale) if c.distance(outer) > 0.3]
    eye = eyes[int(rng.integers(len(eyes)))]
    near = outer.shifted(between(rng, (-0.02, 0.02)), 0.85, 0.94)
    pattern = Pattern(
        inner=near,
        outer=outer,
        ramp=(0.05, between(rng, (0.4, 0.8))),
        edge=pale,
        edge_width=0.0,
        vein=between(rng, (-0.25, 0.4)),
        veins=int(rng.integers(7, 13)),
        spot=dark,
        spots=0,
        blotch=dark,
        blotch_size=0.0,
        midrib=0.0,
        back=between(rng, (0.05, 0.35)),
        gloss=between(rng, (0.02, 0.12)),
    )
    contrast = pale if pale.distance(outer) > 0.3 else dark
    if rng.random() < 0.4 and dark.distance(outer) > 0.3:
        contrast = dark
    edge_width = between(rng, (0.12, 0.28))
    start = between(rng, (0.15, 0.35))
    if kind == "eye":
        return dataclasses.replace(pattern, inner=eye, ramp=(start, start + 0.2))
    if kind == "edge":
        return dataclasses.replace(pattern, edge=contrast, edge_width=edge_width)
    if kind == "tips":
        return dataclasses.replace(pattern, inner=outer, outer=contrast, ramp=(0.55, 0.55 + start))
    if kind == "veins":
        return dataclasses.replace(pattern, vein=between(rng, (0.7, 1.0)))
    if kind == "midrib":
        sign = 1.0 if rng.random() < 0.5 else -1.0
        return dataclasses.replace(pattern, midrib=between(rng, (0.6, 1.0)) * sign)
    if kind == "spots":
        return dataclasses.replace(pattern, inner=pale, spots=int(rng.integers(14, 30)))
    if kind == "blotch":
        return dataclasses.replace(pattern, blotch_size=between(rng, (0.22, 0.42)))
    if kind == "flame":
        return dataclasses.replace(pattern, edge=contrast, edge_width=between(rng, (0.38, 0.5)))
    if kind == "face":
        return dataclasses.replace(
            pattern, inner=eye, ramp=(0.1, 0.6), vein=0.9, blotch_size=between(rng, (0.3, 0.5))
        )
    return pattern
