"""What a reader must know before believing a comparison, in words.

Cautions say that the runs' numbers answer different questions; notes say how to read them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.comparison.answers import Answers
from pipeline.comparison.common_queries import CommonQueries, different_pictures
from pipeline.comparison.compared_run import SPLITS, ComparedRun, common_splits


def about_runs(runs: Sequence[ComparedRun]) -> tuple[list[str], list[str]]:
    """Cautions and notes that hold for all splits."""
    cautions, notes = [], []
    protocols = {_protocol(run) for run in runs}
    if len(protocols) > 1:
        cautions.append(
            "the runs were evaluated under different protocols, so their numbers answer different "
            "questions and a change need not be the model’s: "
            + "; ".join(f"{run.letter} {_protocol(run)}" for run in runs)
        )
    for run in runs:
        if run.record.summary["status"] != "succeeded":
            notes.append(f"{run.letter} {run.record.summary['status']}; it has embeddings, though")
        if run is not runs[0] and run.embeddings == runs[0].embeddings:
            notes.append(
                f"{run.letter} has the very embeddings of {runs[0].letter}: nothing before the "
                "ImageEmbedder changed, and its result was taken over"
            )
    shared = common_splits(runs)
    for split in SPLITS:
        if split not in shared and (lacking := [r.letter for r in runs if split not in r.splits]):
            notes.append(f"{split} is not compared: {', '.join(lacking)} has not embedded it")
    if len(runs) > 2:
        notes.append(
            f"{len(runs) - 1} runs are compared with {runs[0].letter}; each interval is a 95 % "
            "interval of its own and not corrected for multiple comparisons: the more runs, the "
            "likelier that one of them seems to differ by chance"
        )
    return cautions, notes


def about_answers(
    runs: Sequence[ComparedRun], answers: Sequence[Answers], common: CommonQueries, split: str
) -> tuple[list[str], list[str]]:
    """Cautions and notes of one split."""
    cautions, notes = [], []
    first = answers[0]
    for place, run in enumerate(runs[1:], start=1):
        other = answers[place]
        shared = np.intersect1d(first.gallery_ids, other.gallery_ids)
        sizes = len(first.gallery_ids), len(other.gallery_ids)
        if {len(shared)} != set(sizes):
            cautions.append(
                f"{split}: {runs[0].letter} and {run.letter} search different images "
                f"({sizes[0]:,} and {sizes[1]:,}, {len(shared):,} of them in common), which makes "
                "queries easier or harder, whatever the model"
            )
        rows = common.rows[0], common.rows[place]
        if different := different_pictures(first, other, rows):
            cautions.append(
                f"{split}: images of the same id are not the same picture in {runs[0].letter} and "
                f"{run.letter}, for instance {common.ids[different[0]]}: the queries are not the "
                "same, and their pairing means nothing"
            )
    if any(common.only_here):
        left = ", ".join(
            f"{count:,} of {run.letter}"
            for run, count in zip(runs, common.only_here, strict=True)
            if count
        )
        notes.append(f"{split}: queries that not all runs have, and that are not counted: {left}")
    if common.without_relevant:
        notes.append(
            f"{split}: common queries that have no image of their class to find in some run, and "
            f"are not counted: {common.without_relevant:,}"
        )
    return cautions, notes


def _protocol(run: ComparedRun) -> str:
    splits = run.protocol.gallery_splits
    searched = " and ".join(splits) if splits else "their own split"
    left_out = run.settings.evaluation.near_duplicates == "leave_out"
    return f"searched in {searched}, near-duplicates {'left out' if left_out else 'kept'}"
