"""From embeddings and scores of both sides to numbers, and from these to a verdict in words.

Three questions are asked, each with a test that says whether chance could have done it and a size
that says whether it matters: large logs make the smallest difference significant. Each test has a
third of the significance level, so that all three together keep it (Bonferroni).
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from components.drift_monitor.config import DriftConfig
from retrieval.energy_distance import EnergyTest, energy_test
from retrieval.proportions import Interval, difference
from retrieval.score_shift import ScoreShift, score_shift

_TESTS = 3
_FEWEST_PERMUTATIONS = 999
_SEED = 0


@dataclasses.dataclass(frozen=True)
class Side:
    """Photos that are compared.

    Attributes:
        embeddings: float32 [N, D].
        scores: Of the nearest gallery image of each, other than itself, [N].
    """

    embeddings: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        """Returns N."""
        return len(self.scores)

    def without_match(self, threshold: float) -> int:
        """How many have no neighbour that counts as a match."""
        # In the precision in which the model compares.
        return int((self.scores.astype(np.float32) < np.float32(threshold)).sum())


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How logged photos differ from reference images.

    Attributes:
        photos: Different photos that were examined.
        reference: Reference images.
        out_of_gallery: Share of photos without a match.
        reference_out_of_gallery: The same of reference images.
        rise: Of that share, with its confidence interval.
        confidence: Of that interval.
        embeddings: How embeddings differ.
        compared: Embeddings of photos and of reference images that this was found with.
        permutations: Of its test.
        best_score: Mean of photos' best scores.
        reference_best_score: The same of reference images.
        scores: How best scores differ.
        level: Significance level of each test.
    """

    photos: int
    reference: int
    out_of_gallery: float
    reference_out_of_gallery: float
    rise: Interval
    confidence: float
    embeddings: EnergyTest
    compared: tuple[int, int]
    permutations: int
    best_score: float
    reference_best_score: float
    scores: ScoreShift
    level: float


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What it comes to.

    Attributes:
        drifted: Whether the photos differ from what the model was made for.
        decided: False if there were too few photos to tell.
        reasons: Why, in words.
    """

    drifted: bool
    decided: bool
    reasons: tuple[str, ...]


def compare(photos: Side, reference: Side, threshold: float, config: DriftConfig) -> Comparison:
    """Compares.

    Args:
        photos: Logged photos, in an order that is random and the same each time.
        reference: Images that the model was not trained on.
        threshold: Cosine from which on a neighbour counts as a match; inf for never.
        config: Significance and sample size.

    Raises:
        ValueError: Fewer than two photos or reference images.
    """
    level = config.significance / _TESTS
    # Enough of them that a p-value can be well below the level.
    permutations = max(_FEWEST_PERMUTATIONS, math.ceil(10 / level))
    rng = np.random.default_rng(_SEED)
    rows = np.sort(rng.permutation(len(reference))[: config.sample_size])
    sample = photos.embeddings[: config.sample_size]
    confidence = 1 - level
    missing, reference_missing = (side.without_match(threshold) for side in (photos, reference))
    return Comparison(
        photos=len(photos),
        reference=len(reference),
        out_of_gallery=missing / len(photos),
        reference_out_of_gallery=reference_missing / len(reference),
        rise=difference(
            missing, len(photos), reference_missing, len(reference), confidence=confidence
        ),
        confidence=confidence,
        embeddings=energy_test(
            sample, reference.embeddings[rows], permutations=permutations, seed=_SEED
        ),
        compared=(len(sample), len(rows)),
        permutations=permutations,
        best_score=float(photos.scores.mean(dtype=np.float64)),
        reference_best_score=float(reference.scores.mean(dtype=np.float64)),
        scores=score_shift(photos.scores, reference.scores),
        level=level,
    )


def judge(comparison: Comparison | None, photos: int, config: DriftConfig) -> Verdict:
    """Decides.

    Args:
        comparison: None if there were too few photos to compare.
        photos: Different photos that could be examined.
        config: What counts as drift.
    """
    if comparison is None:
        return Verdict(
            False,
            False,
            (
                f"not decided: {photos} different photos could be examined, and "
                f"monitoring.min_photos is {config.min_photos}",
            ),
        )
    reasons = []
    rise, embeddings, scores = comparison.rise, comparison.embeddings, comparison.scores
    if rise.low > config.allowed_rise:
        reasons.append(
            f"{comparison.out_of_gallery:.1%} of the photos have no match in the gallery, against "
            f"{comparison.reference_out_of_gallery:.1%} of the {config.reference_split} images: "
            f"at least {100 * rise.low:.1f} points more, and {100 * config.allowed_rise:g} are "
            "allowed"
        )
    if embeddings.p_value <= comparison.level and embeddings.effect >= config.smallest_effect:
        reasons.append(
            f"the photos look different from the {config.reference_split} images: coefficient of "
            f"inhomogeneity {embeddings.effect:.3f}, from {config.smallest_effect:g} on it counts "
            f"(p {embeddings.p_value:.2g})"
        )
    if scores.p_value <= comparison.level and scores.drop >= config.smallest_score_drop:
        reasons.append(
            "the best scores are lower than those of the "
            f"{config.reference_split} images: {comparison.best_score:.3f} on average against "
            f"{comparison.reference_best_score:.3f}, below some value {100 * scores.drop:.0f} "
            f"points more of them, from {100 * config.smallest_score_drop:g} on it counts "
            f"(p {scores.p_value:.2g})"
        )
    if reasons:
        return Verdict(True, True, tuple(reasons))
    return Verdict(False, True, ("nothing differs by more than chance and the limits allow",))
