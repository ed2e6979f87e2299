"""Draws species: a genus first, then relatives that differ from it in colour or in shape.

Three species make a genus. The first is the type; the second has the type's shape in other
colours; the third has the type's colours on another shape. Telling relatives apart therefore takes
both. Species k is the same however many classes there are.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from components.synthetic_flowers.colours import FAMILIES, Colour
from components.synthetic_flowers.forms import FORMS, Form
from components.synthetic_flowers.patterns import (
    BROWN,
    LIME,
    MAROON,
    NIGHT,
    ORANGE,
    WHITE,
    YELLOW,
    draw_patterns,
)
from components.synthetic_flowers.species import Centre, Leaf, Species, Whorl
from components.synthetic_flowers.streams import Purpose, between, stream

SPECIES_PER_GENUS = 3

_CENTRES = (YELLOW, ORANGE, LIME, BROWN, MAROON, NIGHT)


def draw_species(seed: int, index: int) -> Species:
    """Draws the species of a class.

    Args:
        seed: The dataset's seed.
        index: Number of the class, from 0.

    Returns:
        Its traits.
    """
    genus, place = divmod(index, SPECIES_PER_GENUS)
    type_species = _draw_genus(seed, genus)
    rng = stream(seed, Purpose.SPECIES, index)
    if place == 0:
        return type_species
    if place == 1:
        return _recoloured(rng, type_species)
    return _reshaped(rng, type_species)


def _draw_genus(seed: int, genus: int) -> Species:
    # Each form once before any comes again.
    round_, position = divmod(genus, len(FORMS))
    order = stream(seed, Purpose.FORMS, round_).permutation(len(FORMS))
    form = FORMS[int(order[position])]
    rng = stream(seed, Purpose.GENUS, genus)
    outer, words = _draw_colour(rng)
    pattern, inner_pattern = draw_patterns(rng, outer, form.patterns)
    whorls = _draw_whorls(rng, form)
    return Species(
        genus=genus,
        form=form.name,
        colour_words=words,
        whorls=whorls,
        pattern=pattern,
        inner_pattern=inner_pattern,
        bilateral=between(rng, form.bilateral),
        sepals=form.sepals,
        centre=_draw_centre(rng, form, outer),
        leaf=Leaf(
            width=between(rng, (0.10, 0.32)),
            tip=between(rng, (0.6, 1.2)),
            teeth=between(rng, (0.0, 0.3)) if rng.random() < 0.4 else 0.0,
            colour=Colour(between(rng, (0.24, 0.36)), between(rng, (0.4, 0.6)), 0.48),
            vein=between(rng, (0.15, 0.5)),
        ),
        looseness=between(rng, (0.2, 0.8)),
    )


def _draw_colour(rng: np.random.Generator) -> tuple[Colour, tuple[str, ...]]:
    family = FAMILIES[int(rng.integers(len(FAMILIES)))]
    return family.draw(rng), family.names


def _draw_whorls(rng: np.random.Generator, form: Form) -> tuple[Whorl, ...]:
    count = form.counts[int(rng.integers(len(form.counts)))]
    rings = int(rng.integers(form.rings[0], form.rings[1] + 1))
    first = Whorl(
        count=count,
        length=1.0,
        width=between(rng, form.width),
        base=between(rng, form.base),
        tip=between(rng, form.tip),
        notch=between(rng, form.notch),
        fringe=between(rng, form.fringe),
        lift=between(rng, form.lift),
        curl=between(rng, form.curl),
        flare=between(rng, form.flare),
        cup=between(rng, form.cup),
        ruffle=between(rng, form.ruffle),
        attach=0.04,
    )
    return _rings(first, rings, between(rng, form.closing), between(rng, form.shrink))


def _rings(first: Whorl, rings: int, closing: float, shrink: float) -> tuple[Whorl, ...]:
    return tuple(
        dataclasses.replace(
            first,
            length=first.length * shrink**ring,
            lift=first.lift + closing * ring,
        )
        for ring in range(rings)
    )


def _draw_centre(rng: np.random.Generator, form: Form, outer: Colour) -> Centre:
    visible = [c for c in _CENTRES if c.distance(outer) > 0.3]

    def pick() -> Colour:
        return visible[int(rng.integers(len(visible)))].shifted(between(rng, (-0.02, 0.02)))

    disc = between(rng, form.disc)
    threads = (WHITE, LIME, MAROON)[int(rng.integers(3))]
    return Centre(
        disc=disc if disc > 0.08 else 0.0,
        dome=between(rng, (0.25, 0.8)),
        inner=pick(),
        outer=pick(),
        pistil=between(rng, form.pistil),
        pistil_colour=(LIME, WHITE, MAROON)[int(rng.integers(3))],
        stamens=int(rng.integers(form.stamens[0], form.stamens[1] + 1)),
        stamen_length=between(rng, form.stamen_length),
        stamen_spread=between(rng, form.stamen_spread),
        filament=threads,
        anther=pick(),
        anther_size=between(rng, (0.025, 0.05)) * (1.4 if form.stamens[1] <= 10 else 1.0),
        trumpet=between(rng, form.trumpet),
        trumpet_width=between(rng, (0.22, 0.34)),
        trumpet_colour=(YELLOW, ORANGE, WHITE)[int(rng.integers(3))],
    )


def _recoloured(rng: np.random.Generator, species: Species) -> Species:
    """Same shape, other colours."""
    form = _form(species.form)
    outer, words = _draw_colour(rng)
    while outer.distance(species.pattern.outer) < 0.45:
        outer, words = _draw_colour(rng)
    pattern, inner_pattern = draw_patterns(rng, outer, form.patterns)
    colours = _draw_centre(rng, form, outer)
    return dataclasses.replace(
        species,
        colour_words=words,
        pattern=pattern,
        inner_pattern=inner_pattern,
        centre=dataclasses.replace(
            species.centre,
            inner=colours.inner,
            outer=colours.outer,
            filament=colours.filament,
            anther=colours.anther,
            trumpet_colour=colours.trumpet_colour,
        ),
    )


def _reshaped(rng: np.random.Generator, species: Species) -> Species:
    """Same colours, another shape: petal number, width, tip, rings or centre."""
    form = _form(species.form)
    first = species.whorls[0]
    wider = 1.5 if first.width < (form.width[0] + form.width[1]) / 2.0 else 0.62
    # The number that is most different; forms with one number get a few petals more.
    others = [count for count in form.counts if count != first.count] or [first.count + 2]
    count = max(others, key=lambda n: max(n, first.count) / min(n, first.count))
    upright = first.lift + first.curl + first.flare
    pointed = sum(form.tip) / 2.0 > first.tip
    changed = dataclasses.replace(
        first,
        count=count,
        width=first.width * wider,
        tip=first.tip * (2.0 if pointed else 0.5),
        notch=0.0 if first.notch else (0.2 if rng.random() < 0.4 else 0.0),
        # What is nearly closed already can only open.
        curl=first.curl + (25.0 if upright < 60.0 and rng.random() < 0.5 else -25.0),
    )
    rings = len(species.whorls)
    if form.rings[0] < form.rings[1]:
        rings = form.rings[0] + form.rings[1] - rings
    elif rings == 1 and rng.random() < 0.5:
        rings = 2  # A double-flowered relative.
    centre = species.centre
    return dataclasses.replace(
        species,
        whorls=_rings(changed, rings, between(rng, form.closing), between(rng, form.shrink)),
        centre=dataclasses.replace(
            centre,
            disc=centre.disc * (0.6 if rng.random() < 0.5 else 1.45),
            stamen_length=centre.stamen_length * (0.7 if rng.random() < 0.5 else 1.4),
            trumpet=0.7 - centre.trumpet if centre.trumpet else 0.0,
        ),
    )


def _form(name: str) -> Form:
    return next(form for form in FORMS if form.name == name)
