"""Compares runs: everything that `flowersim compare` says, as one tree of plain values.

The numbers come from the modules beside it. How they are shown is in `terminal.py` and `page.py`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.comparison import cautions
from pipeline.comparison.answers import Answers
from pipeline.comparison.changes import (
    CONFIDENCE,
    FEWEST_FOR_INTERVAL,
    HIT,
    ORDER,
    RESAMPLES,
    class_changes,
    discordance,
    metric_changes,
)
from pipeline.comparison.common_queries import CommonQueries, common_queries
from pipeline.comparison.compared_run import ComparedRun, common_splits, open_runs
from pipeline.comparison.differences import about_runs, components, differing_settings
from pipeline.comparison.query_changes import query_changes
from pipeline.comparison.sheets import Pictures, sheet_rows
from pipeline.run_records import RunRecord
from retrieval.metrics import RANKING_METRICS

VERSION = 1
# Queries each way that are shown.
SHOWN = 8


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What came out.

    Attributes:
        content: Plain values, as `--json` writes them; null for a number that does not exist.
            `runs` (the first is the reference), `cautions` (what makes the numbers answer different
            questions) and `notes` (what to know when reading them), `splits` (metrics, changes,
            classes), `subject` (the split that `queries` are of), `queries` (those that got better
            and worse, by run), `settings` (those that differ), `components`.
        pictures: WebP files, by the keys in `queries`.
    """

    content: dict[str, Any]
    pictures: dict[str, bytes]


def compare(
    records: Sequence[RunRecord], progress: Callable[[str], None] = lambda text: None
) -> Comparison:
    """Compares runs with the first of them.

    Args:
        records: At least two.
        progress: Is told what is done now.

    Raises:
        NotComparableError: They have no query in common, or disagree on what one shows.
        LineageError: ML Metadata does not know a run, or its embeddings are gone.
        RunNotFoundError: A run's settings were not kept.
        SettingsError: They cannot be used.
    """
    progress("opening the runs")
    runs = open_runs(records)
    splits: list[dict[str, Any]] = []
    queries: list[dict[str, Any]] = []
    pictures = Pictures()
    found_cautions, notes = cautions.about_runs(runs)
    shared = common_splits(runs)
    for split in shared:
        answers = []
        for run in runs:
            progress(f"searching the queries of {split} in run {run.letter}")
            answers.append(run.answers(split))
        progress(f"comparing the runs on {split}")
        common = common_queries(answers, [run.label for run in runs], split)
        more, less = cautions.about_answers(runs, answers, common, split)
        found_cautions += more
        notes += less
        splits.append(_split(split, runs, answers, common))
        # Of the last one only, which is test if all runs have it.
        if split == shared[-1]:
            queries = _queries(runs, answers, common, pictures)
    content = {
        "version": VERSION,
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "fewest_for_interval": FEWEST_FOR_INTERVAL,
        "runs": about_runs(runs),
        "cautions": found_cautions,
        "notes": notes,
        "splits": splits,
        "subject": shared[-1],
        "queries": queries,
        "settings": differing_settings(runs),
        "components": components(runs),
    }
    progress("making the pictures smaller")
    return Comparison(_plain(content), pictures.encoded())


def _split(
    name: str, runs: Sequence[ComparedRun], answers: Sequence[Answers], common: CommonQueries
) -> dict[str, Any]:
    """Metrics and changes of one split."""
    values = _common_values(runs, answers, common)
    reference = values[0]
    return {
        "name": name,
        "queries": len(common),
        "only_here": list(common.only_here),
        "without_relevant": common.without_relevant,
        "metrics": {metric: [float(run[metric].mean()) for run in values] for metric in reference},
        "changes": [
            {
                "run": run.letter,
                "metrics": {
                    metric: _interval(change)
                    for metric, change in metric_changes(reference, own).items()
                },
                HIT: dataclasses.asdict(discordance(reference[HIT], own[HIT])),
                "classes": [
                    {
                        "name": change.name,
                        "queries": change.queries,
                        "reference": dict(change.reference),
                        "other": dict(change.other),
                        "change": {k: _interval(v) for k, v in change.change.items()},
                    }
                    for change in class_changes(common.class_names, reference, own)
                ],
            }
            for run, own in zip(runs[1:], values[1:], strict=True)
        ],
    }


def _common_values(
    runs: Sequence[ComparedRun], answers: Sequence[Answers], common: CommonQueries
) -> list[dict[str, np.ndarray]]:
    """By run, the per-query values of the metrics that all have."""
    ks = [k for k in runs[0].protocol.ks if all(k in run.protocol.ks for run in runs)]
    names = [*(f"recall_at_{k}" for k in sorted(ks)), *RANKING_METRICS]
    return [
        {name: run.values[name][rows] for name in names}
        for run, rows in zip(answers, common.rows, strict=True)
    ]


def _queries(
    runs: Sequence[ComparedRun],
    answers: Sequence[Answers],
    common: CommonQueries,
    pictures: Pictures,
) -> list[dict[str, Any]]:
    """For each run but the reference, the queries that changed most."""

    def results(place: int) -> tuple[np.ndarray, np.ndarray]:
        run, rows = answers[place], common.rows[place]
        return run.values[ORDER][rows], run.first_relevant_ranks[rows]

    found = []
    for place, run in enumerate(runs[1:], start=1):
        changes = query_changes(common.ids, results(0), results(place))
        pair = {runs[0].letter: answers[0], run.letter: answers[place]}
        rows = {runs[0].letter: common.rows[0], run.letter: common.rows[place]}
        found.append(
            {
                "run": run.letter,
                "better": len(changes.better),
                "worse": len(changes.worse),
                "same": changes.same,
                "most_better": sheet_rows(changes.better[:SHOWN], pair, rows, pictures),
                "most_worse": sheet_rows(changes.worse[:SHOWN], pair, rows, pictures),
            }
        )
    return found


def _interval(change: Any) -> dict[str, float]:
    return {"value": change.mean, "low": change.low, "high": change.high}


def _plain(value: Any) -> Any:
    """The same with null for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
