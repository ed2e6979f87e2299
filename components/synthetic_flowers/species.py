"""What a species looks like: the traits that all its flowers share, and nothing else.

Pose, light, age and surroundings belong to an image, not to a species (`scene.py`). How traits
are drawn at random is in `genera.py`.
"""

from __future__ import annotations

import dataclasses

from components.synthetic_flowers.colours import Colour


@dataclasses.dataclass(frozen=True)
class Whorl:
    """One ring of equal petals. Lengths are in units of the blossom's radius, angles in degrees.

    Attributes:
        count: Petals in the ring.
        length: From the base to the tip.
        width: Half width at the broadest place, as a share of the length.
        base: Exponent of the outline near the base: 0.3 is broad, 1.5 a narrow claw.
        tip: Exponent near the tip: 0.25 is blunt, 0.5 round, 1 and more pointed.
        notch: Depth of the cut in the middle of the tip, as a share of the length.
        fringe: Depth of the teeth along the rim, as a share of the length.
        lift: Angle of the base above the plane of the flower.
        curl: Change of that angle from base to tip; negative bends back.
        flare: Further change that sets in towards the tip.
        cup: How far the sides bend up, -0.5 … 0.8.
        ruffle: Height of the waves along the rim, as a share of the length.
        attach: Distance of the base from the axis.
    """

    count: int
    length: float
    width: float
    base: float
    tip: float
    notch: float
    fringe: float
    lift: float
    curl: float
    flare: float
    cup: float
    ruffle: float
    attach: float


@dataclasses.dataclass(frozen=True)
class Pattern:
    """What is painted on a petal.

    Attributes:
        inner: Colour near the base.
        outer: Colour of the rest.
        ramp: Where along the petal the first becomes the second, two shares of the length.
        edge: Colour of the rim.
        edge_width: 0 for none, as a share of the half width.
        vein: Strength of the veins, -1 (pale) … 1 (dark).
        veins: How many of them.
        spot: Colour of spots.
        spots: How many on a petal.
        blotch: Colour of the blotch at the base.
        blotch_size: 0 for none, as a share of the length.
        midrib: Strength of the middle line, -1 (pale) … 1 (dark).
        back: How bleached the far side is, 0 … 1.
        gloss: Strength of highlights.
    """

    inner: Colour
    outer: Colour
    ramp: tuple[float, float]
    edge: Colour
    edge_width: float
    vein: float
    veins: int
    spot: Colour
    spots: int
    blotch: Colour
    blotch_size: float
    midrib: float
    back: float
    gloss: float


@dataclasses.dataclass(frozen=True)
class Centre:
    """The middle of a blossom: a disc of florets, a pistil, stamens, a trumpet, or several.

    Attributes:
        disc: Radius of the disc of florets, 0 for none, in units of the blossom's radius.
        dome: Height of the disc as a share of its radius.
        inner: Colour of the middle of the disc.
        outer: Colour of its rim.
        pistil: Length of the pistil, 0 for none.
        pistil_colour: Its colour.
        stamens: How many.
        stamen_length: In units of the blossom's radius.
        stamen_spread: Angle from the axis in degrees.
        filament: Colour of the stamens' threads.
        anther: Colour of their tips.
        anther_size: In units of the blossom's radius.
        trumpet: Length of the trumpet, 0 for none.
        trumpet_width: Radius of its mouth.
        trumpet_colour: Its colour.
    """

    disc: float
    dome: float
    inner: Colour
    outer: Colour
    pistil: float
    pistil_colour: Colour
    stamens: int
    stamen_length: float
    stamen_spread: float
    filament: Colour
    anther: Colour
    anther_size: float
    trumpet: float
    trumpet_width: float
    trumpet_colour: Colour


@dataclasses.dataclass(frozen=True)
class Leaf:
    """A leaf of the plant.

    Attributes:
        width: Half width as a share of the length.
        tip: Exponent of the outline near the tip.
        teeth: Depth of the teeth along the rim.
        colour: Its green.
        vein: Strength of its veins.
    """

    width: float
    tip: float
    teeth: float
    colour: Colour
    vein: float


@dataclasses.dataclass(frozen=True)
class Species:
    """Everything that tells a species from another.

    Attributes:
        genus: Number of its genus; relatives share form or palette.
        form: The genus's form, such as `daisy`.
        colour_words: Words for the main colour.
        whorls: Rings of petals, outermost first.
        pattern: What is painted on the petals.
        inner_pattern: What is painted on the two innermost rings, if it is something else.
        bilateral: 0 for a regular star; else how much larger the lower petal is than the upper.
        sepals: Green leaves behind the blossom; 0 for none.
        centre: The middle.
        leaf: The plant's leaf.
        looseness: How irregular the placement of petals is, 0 … 1.
    """

    genus: int
    form: str
    colour_words: tuple[str, ...]
    whorls: tuple[Whorl, ...]
    pattern: Pattern
    inner_pattern: Pattern | None
    bilateral: float
    sepals: int
    centre: Centre
    leaf: Leaf
    looseness: float
