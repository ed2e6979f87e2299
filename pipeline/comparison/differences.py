"""What else differs between runs: data, code, durations, what became of the model.

From summaries and settings alone, but for the code, which ML Metadata knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.comparison.compared_run import ComparedRun
from pipeline.comparison.settings_diff import settings_diff


def about_runs(runs: Sequence[ComparedRun]) -> list[dict[str, Any]]:
    """What each run is, in their order."""
    return [
        {
            "letter": run.letter,
            "label": run.label,
            "name": run.record.name,
            "workdir": str(run.record.workdir),
            "started": run.record.summary.get("started"),
            "status": run.record.summary["status"],
            "preset": run.record.summary.get("preset"),
            "dataset": run.settings.data.folder or run.settings.data.dataset,
            "images": run.record.summary.get("images") or {},
            "bad_images": len(run.record.summary.get("bad_images") or ()),
            "near_duplicates": _count(run.record.summary.get("near_duplicates")),
            "gallery_splits": list(run.protocol.gallery_splits),
            "near_duplicates_left_out": run.settings.evaluation.near_duplicates == "leave_out",
            "blessed": run.record.summary.get("blessed"),
            "not_blessed_because": run.record.summary.get("not_blessed_because") or [],
            "pushed_model": run.record.summary.get("pushed_model"),
            "duration_seconds": run.record.summary.get("duration_seconds"),
        }
        for run in runs
    ]


def differing_settings(runs: Sequence[ComparedRun]) -> list[dict[str, Any]]:
    """The settings that are not the same in all runs."""
    return [
        {"key": found.key, "values": list(found.values), "description": found.description}
        for found in settings_diff([run.settings for run in runs])
    ]


def components(runs: Sequence[ComparedRun]) -> list[dict[str, Any]]:
    """How long each component took in each run, and whether its code was the same in all.

    `seconds` is None where a component did not run, `cached` where its result was taken from an
    earlier run, `same_code` where a run does not tell: TFX's own components have no digest.
    """
    steps = [
        {step["id"]: step for step in run.record.summary.get("components") or ()} for run in runs
    ]
    names = dict.fromkeys(name for run in steps for name in run)
    found = []
    for name in names:
        codes = [run.code.get(name) for run in runs]
        found.append(
            {
                "id": name,
                "seconds": [run.get(name, {}).get("seconds") for run in steps],
                "cached": [run.get(name, {}).get("cached") for run in steps],
                "code": codes,
                "same_code": None if None in codes else len(set(codes)) == 1,
            }
        )
    return found


def _count(found: list[Any] | None) -> int | None:
    return None if found is None else len(found)
