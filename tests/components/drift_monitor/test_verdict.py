"""The verdict: quiet on draws of one distribution, and each kind of drift under its own name."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats

from components.drift_monitor.config import DriftConfig
from components.drift_monitor.verdict import Side, compare, judge
from tests.components.drift_monitor.conftest import THRESHOLD, draw

CONFIG = DriftConfig(
    reference_split="test",
    significance=0.05,
    smallest_effect=0.02,
    smallest_score_drop=0.15,
    allowed_rise=0.05,
    min_photos=20,
    max_photos=1000,
    sample_size=200,
)
GALLERY = draw(np.random.default_rng(1), 400)


def side(rows: np.ndarray) -> Side:
    return Side(rows, (rows.astype(np.float64) @ GALLERY.T.astype(np.float64)).max(axis=1))


def verdict(photos: np.ndarray, reference: np.ndarray, config: DriftConfig = CONFIG):
    compared = compare(side(photos), side(reference), THRESHOLD, config)
    return judge(compared, len(photos), config), compared


def test_without_smallest_effects_it_fires_in_no_more_than_the_level_of_null_draws():
    rng = np.random.default_rng(0)
    config = dataclasses.replace(
        CONFIG, smallest_effect=0.0, smallest_score_drop=0.0, allowed_rise=0.0
    )
    draws = 150
    fired = sum(verdict(draw(rng, 60), draw(rng, 80), config)[0].drifted for _ in range(draws))
    assert fired <= scipy.stats.binom.ppf(0.999, draws, config.significance)


def test_it_keeps_quiet_about_a_difference_that_is_certain_and_too_small_to_matter():
    rng = np.random.default_rng(0)
    config = dataclasses.replace(CONFIG, sample_size=2000, smallest_effect=0.02)
    moved = draw(rng, 2000) + np.array([0.1, 0, 0, 0])
    found, compared = verdict(
        (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32),
        draw(rng, 2000),
        config,
    )
    assert compared.embeddings.p_value < compared.level / 2
    assert 0.0005 < compared.embeddings.effect < 0.02
    assert not found.drifted and found.decided
    assert found.reasons == ("nothing differs by more than chance and the limits allow",)


def test_other_classes_are_drift_in_every_way():
    rng = np.random.default_rng(0)
    centres = np.random.default_rng(50).normal(size=(6, 4)) - np.array([0, 2, 0, 0])
    found, compared = verdict(draw(rng, 100, centres), draw(rng, 120))
    assert found.drifted and found.decided and len(found.reasons) == 3
    matches, looks, scores = found.reasons
    assert f"{compared.out_of_gallery:.1%} of the photos have no match" in matches
    assert "look different from the test images" in looks and "0.02 on it counts" in looks
    assert "best scores are lower" in scores


def test_a_few_of_the_known_classes_look_different_and_are_found_as_well():
    rng = np.random.default_rng(0)
    centres = np.random.default_rng(0).normal(size=(6, 4))[:2]
    found, _ = verdict(draw(rng, 100, centres), draw(rng, 120))
    assert found.drifted and any("look different" in reason for reason in found.reasons)


def test_the_share_without_a_match():
    photos = Side(np.eye(4, dtype=np.float32), np.array([0.949, 0.95, 0.951, -1.0], np.float32))
    # In float32, as the model compares: 0.95 is not below 0.95.
    assert photos.without_match(0.95) == 2
    assert photos.without_match(math.inf) == 4


def test_without_a_threshold_nothing_has_a_match_and_that_is_no_rise():
    rng = np.random.default_rng(0)
    compared = compare(side(draw(rng, 50)), side(draw(rng, 60)), math.inf, CONFIG)
    assert compared.out_of_gallery == compared.reference_out_of_gallery == 1.0
    assert compared.rise.value == 0.0 and compared.rise.low < 0
    assert not judge(compared, 50, CONFIG).drifted


def test_samples_are_bounded_and_equal_input_gives_equal_output():
    rng = np.random.default_rng(0)
    photos, reference = side(draw(rng, 90)), side(draw(rng, 250))
    config = dataclasses.replace(CONFIG, sample_size=70)
    compared = compare(photos, reference, THRESHOLD, config)
    assert compared.compared == (70, 70)
    assert (compared.photos, compared.reference) == (90, 250)
    assert compared == compare(photos, reference, THRESHOLD, config)


@pytest.mark.parametrize("significance", [0.001, 0.01, 0.2])
def test_p_values_can_be_far_below_the_level(significance: float):
    rng = np.random.default_rng(0)
    config = dataclasses.replace(CONFIG, significance=significance, sample_size=20)
    compared = compare(side(draw(rng, 20)), side(draw(rng, 20)), THRESHOLD, config)
    assert compared.level == pytest.approx(significance / 3)
    assert 1 / (compared.permutations + 1) <= compared.level / 9.9


def test_too_few():
    found = judge(None, 7, CONFIG)
    assert not found.drifted and not found.decided
    assert found.reasons == (
        "not decided: 7 different photos could be examined, and monitoring.min_photos is 20",
    )
