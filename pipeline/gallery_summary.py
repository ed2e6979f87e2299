"""What a run's summary says of the gallery that is searched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.lineage import Run


def read(run: Run | None) -> dict[str, Any]:
    """Collects facts of the index.

    Returns:
        `gallery_size`, `match_threshold` (null where nothing is precise enough to be a match) and
        `routed_search`: `cells`, `probes` (cells that are searched) and `recall`, the share of the
        nearest images that it finds (null where there were no queries); null for exact search. All
        null where the run made no index.
    """
    index = run.outputs.get(("SimilarityIndexer", "servable")) if run else None
    about = index.properties if index else {}
    routed = None
    if "gallery_cells" in about:
        routed = {
            "cells": about["gallery_cells"],
            "probes": about["probed_cells"],
            "recall": about.get("routed_recall"),
        }
    return {
        "gallery_size": about.get("gallery_size"),
        "match_threshold": about.get("match_threshold"),
        "routed_search": routed,
    }


def about(routed: Mapping[str, Any] | None) -> list[str]:
    """What a person should know of the search, none if it is exact."""
    if not routed:
        return []
    cells = f"routed search ({routed['probes']} of {routed['cells']} cells of the gallery)"
    if routed["recall"] is None:
        return [f"{cells}: not measured, there were no queries"]
    found = 100 * routed["recall"]
    return [f"{cells} finds {found:.2f} % of the nearest images that exact search finds"]
