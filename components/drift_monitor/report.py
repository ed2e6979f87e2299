"""The report: `drift.json` of the DriftReport artifact.

No photo and no embedding of one is in it, only numbers, and ids and classes of the gallery.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from components.drift_monitor.config import DriftConfig
from components.drift_monitor.verdict import Comparison, Verdict

FILE = "drift.json"


@dataclasses.dataclass(frozen=True)
class Requests:
    """What the log held.

    Attributes:
        files: How many.
        begun: See `log_files.TimeRange`.
        written: Likewise.
        photos: Photos that were asked about.
        without_match: How many were answered without a match, by whatever version answered.
        skipped: Records without photos, by what they are.
        cut_files: Files whose end cannot be read.
        models: Photos by NAME/VERSION that answered.
        undecodable: Chosen photos that the served model cannot decode.
        ids: Gallery images that were answered first most often: id and number.
        classes: The same of classes.
    """

    files: int
    begun: str | None
    written: str
    photos: int
    without_match: int
    skipped: Mapping[str, int]
    cut_files: tuple[str, ...]
    models: Mapping[str, int]
    undecodable: int
    ids: tuple[tuple[str, int], ...]
    classes: tuple[tuple[str, int], ...]


@dataclasses.dataclass(frozen=True)
class Report:
    """All of it.

    Attributes:
        verdict: What it comes to.
        requests: What the log held.
        examined: Different photos that were examined and could be decoded.
        threshold: Cosine from which on a neighbour counts as a match; None for never.
        comparison: The numbers; None if nothing was decided.
        config: What counted as drift.
    """

    verdict: Verdict
    requests: Requests
    examined: int
    threshold: float | None
    comparison: Comparison | None
    config: DriftConfig

    def content(self) -> dict[str, Any]:
        """Returns it as JSON has it, the verdict's fields first."""
        fields = dataclasses.asdict(self)
        verdict = fields.pop("verdict")
        content = {**verdict, **fields}
        if self.comparison is not None:
            # Interval is a tuple.
            content["comparison"]["rise"] = self.comparison.rise._asdict()
        return content

    def dumps(self) -> str:
        """Returns it as text."""
        return json.dumps(self.content(), indent=1, ensure_ascii=False, allow_nan=False)


def threshold_or_none(threshold: float) -> float | None:
    """JSON has no infinity."""
    return threshold if math.isfinite(threshold) else None
