"""What TFMA's evaluations say: metrics with intervals, the change against the baseline, reasons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_CUT_OFF = re.compile(r"recall_at_(\d+)")


def evaluations(uris: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Metrics over all queries of each split.

    Args:
        uris: Of the evaluations, by split.

    Returns:
        By split: `queries`, `metrics` and `differences` to the baseline; these by name, each with
        `value`, `low` and `high`.
    """
    if not uris:
        return {}
    # TFMA takes seconds to import, and a run that failed early does not need it.
    from components.retrieval_evaluator.results import read_differences, read_intervals

    found = {}
    for split, uri in uris.items():
        metrics = read_intervals(uri)
        count = metrics.pop("example_count", None)
        found[split] = {
            "queries": None if count is None else round(count.value),
            "metrics": {name: metric._asdict() for name, metric in metrics.items()},
            "differences": {
                name: metric._asdict() for name, metric in read_differences(uri).items()
            },
        }
    return found


def not_blessed_because(uris: Mapping[str, str], blessed: bool | None) -> list[str]:
    """The thresholds that the model missed, in words; they are about the validation split."""
    if blessed is not False or "validation" not in uris:
        return []
    from components.retrieval_evaluator.results import failed_thresholds

    return failed_thresholds(uris["validation"])


def cut_offs(evaluation: Mapping[str, Any] | None) -> list[int]:
    """The k for which an evaluation has recall@k; of none (1, 5, 10)."""
    names = evaluation["metrics"] if evaluation else ()
    found = sorted(int(match[1]) for name in names if (match := _CUT_OFF.fullmatch(name)))
    return found or [1, 5, 10]
