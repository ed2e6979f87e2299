"""What a run's summary says of the check in a server; a part of `summary.py`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from pipeline.lineage import Run


def read(run: Run | None) -> dict[str, Any] | None:
    """Reads what ServingCheck found.

    Returns:
        `ok`; `reason`, why the model must not be pushed, empty if it may; `photos` that it was
        asked about and `gallery_photos` among them; `load_seconds`, `latency` of one photo
        (`median_ms`, `p95_ms`, `requests`) and `peak_memory_mb`, null where it did not come to
        that; `log`, what the server had to say, null if none was started. None if the component
        has not run.
    """
    blessing = run.outputs.get(("ServingCheck", "blessing")) if run else None
    if blessing is None:
        return None
    # Spelled out, since importing the component's report would import TensorFlow.
    with open(os.path.join(blessing.uri, "serving_check.json"), encoding="utf-8") as file:
        found = json.load(file)
    log = os.path.join(blessing.uri, "server.log")
    return {**found, "log": log if os.path.exists(log) else None}


def about(check: Mapping[str, Any] | None) -> list[str]:
    """How fast and how large the served model is, in a line; none where that was not measured."""
    if not check or not check["latency"]:
        return []
    latency, memory = check["latency"], check["peak_memory_mb"]
    line = (
        f"tried in a server: one photo takes {latency['median_ms']:.0f} ms "
        f"(95 %: {latency['p95_ms']:.0f} ms)"
    )
    return [line if memory is None else f"{line}, memory {memory:.0f} MB"]


def why_not_pushed(check: Mapping[str, Any] | None) -> list[str]:
    """Why the model failed and what to do, in lines; none if it did not fail."""
    if not check or check["ok"]:
        return []
    lines = [f"it failed the check in a server: {check['reason']}"]
    if check["log"]:
        lines.append(f"log of the server  {check['log']}")
    return [*lines, "to check it again: the same command with --from ServingCheck --no-cache"]
