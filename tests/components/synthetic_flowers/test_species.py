"""Species and their names: each its own, relatives related, names true and unique."""

from __future__ import annotations

import dataclasses

import pytest

from components.synthetic_flowers.forms import FORMS
from components.synthetic_flowers.genera import SPECIES_PER_GENUS, draw_species
from components.synthetic_flowers.names import species_name
from components.synthetic_flowers.streams import Purpose, stream


def test_streams_are_independent():
    def draw(*key: int) -> float:
        return float(stream(key[0], Purpose(key[1]), *key[2:]).random())

    keys = [
        (seed, purpose, first, second)
        for seed in (0, 1)
        for purpose in (Purpose.TRAIN, Purpose.TEST)
        for first in range(3)
        for second in range(3)
    ]
    assert len({draw(*key) for key in keys}) == len(keys)
    # What is left out counts as 0.
    assert draw(5, Purpose.GENUS, 3) == draw(5, Purpose.GENUS, 3, 0)


def test_species_are_reproducible_and_distinct():
    species = [draw_species(3, index) for index in range(120)]
    assert species == [draw_species(3, index) for index in range(120)]
    assert len(set(species)) == 120
    assert not set(species) & {draw_species(4, index) for index in range(120)}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_relatives_differ_in_colour_or_in_shape(seed: int):
    for genus in range(len(FORMS)):
        typical, recoloured, reshaped = (
            draw_species(seed, SPECIES_PER_GENUS * genus + place) for place in range(3)
        )
        assert {typical.genus, recoloured.genus, reshaped.genus} == {genus}
        assert recoloured.whorls == typical.whorls
        assert recoloured.pattern.outer.distance(typical.pattern.outer) > 0.2
        assert reshaped.pattern == typical.pattern
        first, other = typical.whorls[0], reshaped.whorls[0]
        assert other.count != first.count
        assert max(first.width, other.width) > 1.4 * min(first.width, other.width)


def test_every_form_comes_before_any_comes_twice():
    forms = [draw_species(0, SPECIES_PER_GENUS * genus).form for genus in range(2 * len(FORMS))]
    assert set(forms[: len(FORMS)]) == set(forms[len(FORMS) :]) == {form.name for form in FORMS}


def test_traits_stay_within_their_form():
    by_name = {form.name: form for form in FORMS}
    for genus in range(60):
        species = draw_species(0, SPECIES_PER_GENUS * genus)
        form, first = by_name[species.form], species.whorls[0]
        assert first.count in form.counts
        assert form.rings[0] <= len(species.whorls) <= form.rings[1]
        assert form.width[0] <= first.width <= form.width[1]
        # Nothing is left undrawn: every number is finite, every colour within bounds.
        for colour in (species.pattern.outer, species.centre.anther, species.leaf.colour):
            assert all(0.0 <= part <= 1.0 for part in dataclasses.astuple(colour))


def test_names_of_1000_classes_are_unique():
    names = [species_name(0, index) for index in range(1000)]
    assert len(set(names)) == 1000
    assert all(
        name.replace(" ", "").replace("-", "").isalpha() and name.islower() for name in names
    )
    # Relatives share the noun and nobody else has it.
    nouns = [name.split()[-1] for name in names]
    assert len(set(nouns)) == -(-1000 // SPECIES_PER_GENUS)
    assert nouns[30] == nouns[31] == nouns[32] != nouns[33]


def test_names_tell_the_truth():
    seen = set()
    for index in range(200):
        name, species = species_name(7, index), draw_species(7, index)
        assert any(word in name.split() for word in species.colour_words)
        pattern = species.pattern
        if "spotted" in name:
            assert pattern.spots > 0
        if "pale-edged" in name:
            assert pattern.edge_width and pattern.edge.value > pattern.outer.value
        if "double" in name:
            assert len(species.whorls) > len(draw_species(7, index - 2).whorls)
        if "slender" in name:
            assert species.whorls[0].width < draw_species(7, index - 2).whorls[0].width
        seen.update(name.split()[:-1])
    assert {"spotted", "pale-edged", "double", "slender"} <= seen
