"""What DriftMonitor is told."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class DriftConfig:
    """When a difference is drift; see the `monitoring` section of the settings.

    Attributes:
        reference_split: Split whose embedded images requests are compared with.
        significance: Chance that photos of the same kind are called drifted.
        smallest_effect: Coefficient of inhomogeneity from which on embeddings may count as drifted.
        smallest_score_drop: Likewise, by how much more of the best scores lie below some value.
        allowed_rise: By how much the share of photos without a match may rise.
        min_photos: Different photos below which nothing is decided.
        max_photos: Different photos that are embedded at most.
        sample_size: Embeddings of each side that are compared at most.
    """

    reference_split: str
    significance: float
    smallest_effect: float
    smallest_score_drop: float
    allowed_rise: float
    min_photos: int
    max_photos: int
    sample_size: int
