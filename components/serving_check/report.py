"""What a check found, as a file beside the blessing: `serving_check.json`."""

from __future__ import annotations

import dataclasses
import json

from components.serving_check.latency import Latency

FILE = "serving_check.json"
LOG_FILE = "server.log"


@dataclasses.dataclass
class Report:
    """What was found, as far as it came.

    Attributes:
        reason: Why the model must not be pushed; empty if it may.
        photos: How many it was asked about.
        gallery_photos: How many of these it had to find.
        load_seconds: From the server's start until it answered; meanwhile the model computes its
            first answers in this process too, on the same processors.
        latency: Of `similar` for one photo.
        peak_memory_mb: Of the server's process, in 10⁶ bytes.
    """

    reason: str = ""
    photos: int = 0
    gallery_photos: int = 0
    load_seconds: float | None = None
    latency: Latency | None = None
    peak_memory_mb: float | None = None

    @property
    def is_ok(self) -> bool:
        """Whether the model may be pushed."""
        return not self.reason

    def dumps(self) -> str:
        """Returns it as JSON: the fields, and `ok`."""
        return json.dumps({"ok": self.is_ok, **dataclasses.asdict(self)}, indent=2)
