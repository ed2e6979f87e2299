"""The forms that flowers come in: for each, the ranges that a genus draws its traits from.

Data only. To add a form, add an entry here; `genera.py` needs no change.
"""

from __future__ import annotations

import dataclasses

Range = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Form:
    """Ranges of the traits of a kind of flower; see `species.Whorl` and `species.Centre`.

    Attributes:
        name: The form's name.
        counts: Petal numbers of one ring that occur.
        rings: Fewest and most rings.
        width: Half width as a share of the length.
        base: Exponent of the outline near the base.
        tip: Exponent near the tip.
        lift: Degrees above the flower's plane.
        curl: Degrees that the petal bends up on its way.
        flare: Degrees that it bends besides, mostly towards its tip.
        cup: How far the sides bend up.
        ruffle: Waves of the rim.
        notch: Cut in the tip.
        fringe: Teeth of the rim.
        closing: Degrees that each inner ring stands up more than the one around it.
        shrink: Length of an inner ring as a share of the one around it.
        bilateral: Larger lower petals.
        disc: Radius of the disc of florets.
        stamens: Fewest and most stamens.
        stamen_length: Their length.
        stamen_spread: Their angle from the axis, in degrees.
        pistil: Length of the pistil.
        trumpet: Length of the trumpet.
        sepals: How many green leaves stand behind the blossom.
        patterns: Kinds of pattern that occur; see `genera.draw_pattern`.
    """

    name: str
    counts: tuple[int, ...]
    rings: tuple[int, int]
    width: Range
    base: Range
    tip: Range
    lift: Range
    curl: Range
    flare: Range = (-15.0, 15.0)
    cup: Range = (0.0, 0.3)
    ruffle: Range = (0.0, 0.03)
    notch: Range = (0.0, 0.0)
    fringe: Range = (0.0, 0.0)
    closing: Range = (4.0, 10.0)
    shrink: Range = (0.86, 0.96)
    bilateral: Range = (0.0, 0.0)
    disc: Range = (0.0, 0.0)
    stamens: tuple[int, int] = (0, 0)
    stamen_length: Range = (0.2, 0.3)
    stamen_spread: Range = (20.0, 45.0)
    pistil: Range = (0.0, 0.0)
    trumpet: Range = (0.0, 0.0)
    sepals: int = 5
    patterns: tuple[str, ...] = ("plain", "eye", "edge", "veins")


FORMS = (
    Form(
        "daisy",
        counts=(12, 15, 18, 22, 27),
        rings=(1, 2),
        width=(0.10, 0.16),
        base=(0.25, 0.45),
        tip=(0.25, 0.45),
        lift=(0.0, 14.0),
        curl=(-25.0, 5.0),
        cup=(-0.2, 0.3),
        notch=(0.0, 0.06),
        disc=(0.22, 0.36),
        patterns=("plain", "eye", "tips"),
    ),
    Form(
        "buttercup",
        counts=(5, 6, 8),
        rings=(1, 1),
        width=(0.38, 0.50),
        base=(0.6, 0.9),
        tip=(0.28, 0.45),
        lift=(15.0, 30.0),
        curl=(-15.0, 20.0),
        cup=(0.2, 0.5),
        stamens=(18, 34),
        stamen_length=(0.18, 0.30),
        pistil=(0.10, 0.16),
        patterns=("plain", "eye", "veins", "blotch"),
    ),
    Form(
        "lily",
        counts=(3,),
        rings=(2, 2),
        width=(0.17, 0.26),
        base=(0.5, 0.8),
        tip=(0.75, 1.1),
        lift=(35.0, 50.0),
        curl=(-20.0, 20.0),
        flare=(-110.0, -60.0),
        cup=(0.1, 0.4),
        ruffle=(0.01, 0.05),
        closing=(0.0, 3.0),
        shrink=(0.97, 1.03),
        stamens=(6, 6),
        stamen_length=(0.45, 0.62),
        stamen_spread=(16.0, 30.0),
        pistil=(0.55, 0.70),
        sepals=0,
        patterns=("spots", "midrib", "eye", "plain"),
    ),
    Form(
        "poppy",
        counts=(4, 5, 6),
        rings=(1, 1),
        width=(0.58, 0.75),
        base=(0.6, 0.85),
        tip=(0.25, 0.38),
        lift=(18.0, 34.0),
        curl=(0.0, 30.0),
        cup=(0.1, 0.4),
        ruffle=(0.04, 0.09),
        stamens=(34, 60),
        stamen_length=(0.18, 0.28),
        stamen_spread=(30.0, 60.0),
        pistil=(0.16, 0.24),
        sepals=0,
        patterns=("blotch", "plain", "veins", "edge"),
    ),
    Form(
        "tulip",
        counts=(3,),
        rings=(2, 2),
        width=(0.33, 0.44),
        base=(0.45, 0.6),
        tip=(0.45, 0.9),
        lift=(12.0, 26.0),
        curl=(95.0, 115.0),
        flare=(-55.0, -20.0),
        cup=(0.4, 0.7),
        closing=(2.0, 5.0),
        shrink=(0.95, 1.0),
        stamens=(6, 6),
        stamen_length=(0.22, 0.34),
        stamen_spread=(10.0, 22.0),
        pistil=(0.25, 0.35),
        sepals=0,
        patterns=("edge", "plain", "flame", "blotch"),
    ),
    Form(
        "rose",
        counts=(5, 6, 7),
        rings=(4, 5),
        width=(0.50, 0.64),
        base=(0.45, 0.6),
        tip=(0.28, 0.42),
        lift=(8.0, 20.0),
        curl=(5.0, 30.0),
        cup=(0.25, 0.6),
        ruffle=(0.02, 0.05),
        closing=(12.0, 17.0),
        shrink=(0.80, 0.87),
        stamens=(0, 14),
        stamen_length=(0.10, 0.16),
        patterns=("plain", "edge", "heart"),
    ),
    Form(
        "dahlia",
        counts=(9, 11, 13),
        rings=(4, 5),
        width=(0.19, 0.27),
        base=(0.45, 0.7),
        tip=(0.45, 0.85),
        lift=(0.0, 10.0),
        curl=(0.0, 25.0),
        cup=(0.4, 0.8),
        closing=(13.0, 17.0),
        shrink=(0.78, 0.85),
        disc=(0.0, 0.14),
        patterns=("plain", "tips", "heart"),
    ),
    Form(
        "pansy",
        counts=(5,),
        rings=(1, 1),
        width=(0.46, 0.58),
        base=(0.5, 0.7),
        tip=(0.26, 0.36),
        lift=(2.0, 12.0),
        curl=(-20.0, 5.0),
        cup=(-0.1, 0.2),
        ruffle=(0.02, 0.06),
        bilateral=(0.25, 0.5),
        pistil=(0.06, 0.10),
        patterns=("face", "blotch", "edge"),
    ),
    Form(
        "bell",
        counts=(4, 5, 7),
        rings=(1, 1),
        width=(0.40, 0.48),
        base=(0.40, 0.55),
        tip=(0.35, 0.60),
        lift=(28.0, 38.0),
        curl=(80.0, 100.0),
        flare=(-130.0, -95.0),
        cup=(0.2, 0.5),
        stamens=(0, 5),
        stamen_length=(0.28, 0.40),
        stamen_spread=(6.0, 14.0),
        pistil=(0.45, 0.65),
        patterns=("veins", "eye", "plain", "spots"),
    ),
    Form(
        "narcissus",
        counts=(3,),
        rings=(2, 2),
        width=(0.26, 0.38),
        base=(0.5, 0.7),
        tip=(0.5, 0.8),
        lift=(0.0, 12.0),
        curl=(-15.0, 10.0),
        closing=(1.0, 3.0),
        shrink=(0.95, 1.0),
        pistil=(0.2, 0.3),
        trumpet=(0.18, 0.55),
        sepals=0,
        patterns=("plain", "eye"),
    ),
    Form(
        "clematis",
        counts=(4, 6, 8),
        rings=(1, 1),
        width=(0.26, 0.36),
        base=(0.6, 0.9),
        tip=(0.6, 0.95),
        lift=(0.0, 12.0),
        curl=(-25.0, 5.0),
        cup=(0.0, 0.3),
        ruffle=(0.02, 0.06),
        stamens=(24, 44),
        stamen_length=(0.24, 0.36),
        stamen_spread=(25.0, 60.0),
        pistil=(0.12, 0.18),
        sepals=0,
        patterns=("midrib", "veins", "plain", "edge"),
    ),
    Form(
        "carnation",
        counts=(6, 7, 8),
        rings=(3, 4),
        width=(0.40, 0.52),
        base=(0.9, 1.3),
        tip=(0.20, 0.28),
        lift=(4.0, 14.0),
        curl=(-10.0, 15.0),
        ruffle=(0.06, 0.11),
        fringe=(0.03, 0.06),
        closing=(14.0, 18.0),
        shrink=(0.80, 0.88),
        patterns=("plain", "edge", "flame"),
    ),
    Form(
        "phlox",
        counts=(5,),
        rings=(1, 1),
        width=(0.30, 0.42),
        base=(0.9, 1.4),
        tip=(0.22, 0.32),
        lift=(0.0, 8.0),
        curl=(-10.0, 5.0),
        cup=(-0.1, 0.15),
        notch=(0.12, 0.30),
        stamens=(5, 10),
        stamen_length=(0.10, 0.30),
        stamen_spread=(15.0, 35.0),
        patterns=("eye", "veins", "blotch", "plain"),
    ),
    Form(
        "starflower",
        counts=(5, 6, 7, 9),
        rings=(1, 1),
        width=(0.14, 0.22),
        base=(0.4, 0.7),
        tip=(0.8, 1.3),
        lift=(2.0, 16.0),
        curl=(-25.0, 5.0),
        cup=(0.1, 0.4),
        stamens=(5, 10),
        stamen_length=(0.22, 0.36),
        stamen_spread=(20.0, 40.0),
        pistil=(0.12, 0.2),
        patterns=("midrib", "plain", "eye"),
    ),
)
