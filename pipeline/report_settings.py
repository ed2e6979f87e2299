"""The settings of the report of a run, a part of the tree in `settings.py`."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings_section import Section


class CardSettings(Section):
    """What only the owners of a model know; it goes into the model card."""

    intended_use: str = Field(
        default="Finding images of a collection that look like a photo, for a person who judges "
        "the answer.",
        min_length=1,
        json_schema_extra={"form": "text"},
        description="what the model is meant for, as the model card says it",
    )
    out_of_scope: str = Field(
        default="Deciding without a person what a photo shows, above all where an error does harm; "
        "photos of people; subjects unlike those it was trained on.",
        min_length=1,
        json_schema_extra={"form": "text"},
        description="what the model must not be used for, as the model card says it",
    )
    owner: str | None = Field(
        default=None, description="who answers for the model, a name or an address (null: not said)"
    )
    license: str | None = Field(
        default=None, description="terms under which the model may be used (null: not said)"
    )


class ReportSettings(Section):
    """The page that each run ends with."""

    enabled: bool = Field(
        default=True,
        description="make a report of each run; without it, only what is searched is embedded, and "
        "flowersim report makes a report of that",
    )
    map_images: int = Field(
        default=10_000,
        ge=10,
        le=20_000,
        description="images that the map of embeddings shows at most; of more, some are drawn, "
        "the same share of each class",
    )
    max_megabytes: float = Field(
        default=8.0,
        ge=1.0,
        le=100.0,
        description="size of all pictures in the report at most; more images get smaller ones",
    )
    card: CardSettings = CardSettings()
