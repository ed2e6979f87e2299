"""The settings of `flowersim monitor`, a part of the tree in `settings.py`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.settings_section import Probability, Section


class MonitoringSettings(Section):
    """When logged requests count as drifted, and what follows."""

    reference_split: Literal["validation", "test"] = Field(
        default="test",
        description="split whose images logged photos are compared with; one that the model was "
        "not trained on",
    )
    significance: float = Field(
        default=0.01,
        ge=0.001,
        le=0.2,
        description="chance that photos of the same kind as the reference are called drifted, at "
        "most; the tests of embeddings, of best scores and of photos without a match share it",
    )
    smallest_effect: Probability = Field(
        default=0.01,
        description="coefficient of inhomogeneity of embeddings, from 0 (the same distribution) to "
        "1 (each side one point, and another one), below which a difference is no drift",
    )
    smallest_score_drop: Probability = Field(
        default=0.15,
        description="by how much the share of best scores below some value may rise, for the value "
        "where it rises most; a smaller rise is no drift",
    )
    allowed_rise: Probability = Field(
        default=0.05,
        description="by how much the share of photos without a match in the gallery may rise",
    )
    min_photos: int = Field(
        default=100,
        ge=20,
        le=100_000,
        description="different photos in the log below which nothing is decided",
    )
    max_photos: int = Field(
        default=5000,
        ge=20,
        le=100_000,
        description="different photos of the log that are embedded; of more, some are drawn",
    )
    sample_size: int = Field(
        default=1000,
        ge=20,
        le=4000,
        description="embeddings of each side that are compared at most; time and memory grow with "
        "its square",
    )
    retrain: bool = Field(
        default=False,
        description="let flowersim monitor start a run with the saved settings when it finds drift",
    )

    @model_validator(mode="after")
    def _enough_can_be_found(self) -> MonitoringSettings:
        if self.min_photos > self.max_photos:
            raise ValueError("min_photos must not be above max_photos")
        return self
