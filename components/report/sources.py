"""What a report is made of, and how: the artifacts of a run, and the protocol of its evaluation.

Not where they come from: the component gets them from its inputs, `flowersim report` from ML
Metadata.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Sources:
    """Artifacts of a run, by URI; None where the run has not come so far, or has no such step.

    Attributes:
        embeddings: ImageEmbedder's images (`components/image_embedder/records.py`).
        embedded_splits: The splits in it, in the order in which they are to be named.
        examples: ExampleGen's, which hold `ingestion.json`.
        near_duplicates: LeakCheck's, which hold `near_duplicates.json`.
        model_run: The Trainer's, which holds `history.json`.
        evaluations: TFMA's evaluations by split.
        blessed: Whether the Evaluator blessed the model; None if it was not asked to.
        serving_check: ServingCheck's, which holds `serving_check.json`.
        match_threshold: Cosine from which on the served model calls a neighbour a match; None if
            nothing is a match, or there is no index.
        gallery_size: How many images the served model searches.
    """

    embeddings: str | None = None
    embedded_splits: tuple[str, ...] = ()
    examples: str | None = None
    near_duplicates: str | None = None
    model_run: str | None = None
    evaluations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    blessed: bool | None = None
    serving_check: str | None = None
    match_threshold: float | None = None
    gallery_size: int | None = None


@dataclasses.dataclass(frozen=True)
class ReportConfig:
    """How a report is made.

    Attributes:
        gallery_splits: Splits that queries were searched in when the model was evaluated; none for
            their own split. A query is never among its own answers.
        served_splits: Splits that the served model searches.
        left_out: Whether near-duplicates took no part in the evaluation.
        map_images: Images in the map at most; of more, as many of each class as its share.
        max_megabytes: Of all pictures, as text (base64).
        seed: Of what is drawn, and of the map.
    """

    gallery_splits: tuple[str, ...] = ()
    served_splits: tuple[str, ...] = ("train", "validation")
    left_out: bool = False
    map_images: int = 10_000
    max_megabytes: float = 8.0
    seed: int = 0

    def dumps(self) -> str:
        """Returns it as JSON."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def loads(cls, text: str) -> ReportConfig:
        """Reads what `dumps` has written."""
        fields = json.loads(text)
        for name in ("gallery_splits", "served_splits"):
            fields[name] = tuple(fields[name])
        return cls(**fields)
