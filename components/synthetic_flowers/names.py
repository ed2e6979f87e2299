"""Invented names of species, such as "pale-edged crimson moorpoppy"; what they say is true.

The noun belongs to the genus, the words before it tell relatives apart.
"""

from __future__ import annotations

from components.synthetic_flowers.forms import FORMS
from components.synthetic_flowers.genera import SPECIES_PER_GENUS, draw_species
from components.synthetic_flowers.species import Pattern, Species
from components.synthetic_flowers.streams import Purpose, stream

_BEGINNINGS = (
    "alder", "amber", "bracken", "brook", "cinder", "cliff", "copse", "dawn", "dell", "dew",
    "dune", "dusk", "ember", "fen", "flint", "frost", "glen", "hazel", "heath", "holm",
    "lake", "lark", "marsh", "mist", "moon", "moor", "north", "rill", "shade", "silver",
    "star", "stone", "sun", "thorn", "vale", "wind", "wold", "wren",
)  # fmt: skip

# Two endings for each form; with the beginnings above enough for 1000 species and more.
_ENDINGS = {
    "daisy": ("aster", "daisy"),
    "buttercup": ("cup", "crowfoot"),
    "lily": ("lily", "martagon"),
    "poppy": ("poppy", "silk"),
    "tulip": ("tulip", "goblet"),
    "rose": ("rose", "rosette"),
    "dahlia": ("dahlia", "crest"),
    "pansy": ("pansy", "face"),
    "bell": ("bell", "chalice"),
    "narcissus": ("daffodil", "trumpet"),
    "clematis": ("bower", "vine"),
    "carnation": ("pink", "gillyflower"),
    "phlox": ("phlox", "campion"),
    "starflower": ("squill", "spark"),
}


def species_name(seed: int, index: int) -> str:
    """Names the species of a class.

    Args:
        seed: The dataset's seed.
        index: Number of the class, from 0.

    Returns:
        A name that no other class below 1000 with this seed has.
    """
    species = draw_species(seed, index)
    place = index % SPECIES_PER_GENUS
    # Relatives take different words even for the same colour: this is what makes names unique.
    colour = species.colour_words[place]
    if place == 2:
        before = _shape_word(species, draw_species(seed, index - 2))
    else:
        before = _pattern_word(species.pattern)
    return " ".join(filter(None, (before, colour, _noun(seed, species))))


def _noun(seed: int, species: Species) -> str:
    form = next(number for number, form in enumerate(FORMS) if form.name == species.form)
    # Every form comes once in a round of genera, so the round numbers a form's genera.
    round_ = species.genus // len(FORMS)
    nouns = [start + end for end in _ENDINGS[species.form] for start in _BEGINNINGS]
    order = stream(seed, Purpose.NAMES, form).permutation(len(nouns))
    return nouns[int(order[round_])]


def _pattern_word(pattern: Pattern) -> str:
    """Returns what is most striking about the petals' paint, or nothing."""
    if pattern.spots:
        return "spotted"
    if pattern.edge_width > 0.3:
        return "flamed"
    if pattern.edge_width:
        return _tone(pattern.edge.value > pattern.outer.value) + "-edged"
    if pattern.blotch_size:
        return "dark-eyed"
    if pattern.inner.distance(pattern.outer) > 0.3:
        if pattern.ramp[0] > 0.5:
            return _tone(pattern.outer.value > pattern.inner.value) + "-tipped"
        return _tone(pattern.inner.value >= pattern.outer.value) + "-eyed"
    if pattern.midrib:
        return "striped"
    return "veined" if pattern.vein > 0.5 else ""


def _tone(lighter: bool) -> str:
    return "pale" if lighter else "dark"


def _shape_word(species: Species, relative: Species) -> str:
    """Returns how the shape differs from that of the genus's type."""
    rings, rings_of_type = len(species.whorls), len(relative.whorls)
    if rings != rings_of_type:
        return "double" if rings > rings_of_type else "lesser"
    return "broad-petalled" if species.whorls[0].width > relative.whorls[0].width else "slender"
