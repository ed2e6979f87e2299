"""A run that is compared: its settings, its embeddings, the protocol of its evaluation.

Opens what `run_records.py` has found through ML Metadata; nothing here compares.
"""

from __future__ import annotations

import dataclasses
import os
import string
from collections.abc import Sequence

import tensorflow as tf

from components.leak_check import report as leak_report
from components.report.findings import run_images
from components.report.findings.run_images import RunImages
from pipeline.comparison.answers import Answers, Protocol, answer
from pipeline.comparison.errors import NotComparableError
from pipeline.run_lineage import artifact_of, code_of, outputs_of
from pipeline.run_records import RunRecord, settings_of
from pipeline.settings import Settings

# Whose images are queries, and all that may be embedded.
SPLITS = ("validation", "test")
_EMBEDDED = ("train", *SPLITS)
LETTERS = string.ascii_uppercase


@dataclasses.dataclass(frozen=True)
class ComparedRun:
    """A run, with its images in memory.

    Attributes:
        letter: A for the reference, then B, C, …
        label: What it is called in words.
        record: As it is on disk.
        settings: That it was made with.
        embeddings: URI of ImageEmbedder's artifact.
        images: All that are in it.
        splits: Their splits.
        protocol: How its queries were evaluated.
        code: Digests of its components' code.
    """

    letter: str
    label: str
    record: RunRecord
    settings: Settings
    embeddings: str
    images: RunImages
    splits: tuple[str, ...]
    protocol: Protocol
    code: dict[str, str]

    def answers(self, split: str) -> Answers:
        """Answers the queries of a split.

        Raises:
            NotComparableError: A split that they were searched in was not embedded.
        """
        for searched in self.protocol.gallery_splits:
            if searched not in self.splits:
                raise NotComparableError(
                    f"run {self.label} has embedded no image of the split {searched}, in which its "
                    "evaluation searched"
                )
        return answer(self.images, split, self.protocol)


def open_runs(records: Sequence[RunRecord]) -> list[ComparedRun]:
    """Opens runs in the order given, the reference first.

    Raises:
        NotComparableError: They are more than there are letters to call them by.
        LineageError: ML Metadata does not know a run, or its embeddings are gone.
        RunNotFoundError: A run's settings were not kept.
        SettingsError: They cannot be used.
    """
    if len(records) > len(LETTERS):
        raise NotComparableError(f"at most {len(LETTERS)} runs can be compared at once")
    return [
        _open(record, letter, label)
        for record, letter, label in zip(records, LETTERS, run_labels(records), strict=False)
    ]


def run_labels(records: Sequence[RunRecord]) -> list[str]:
    """The shortest of NAME, WORKDIR@NAME and /…/WORKDIR@NAME that tells the runs apart."""
    forms = (
        [record.name for record in records],
        [f"{record.workdir.name}@{record.name}" for record in records],
        [f"{record.workdir}@{record.name}" for record in records],
    )
    # The same run may be named twice.
    different = len({(record.workdir, record.name) for record in records})
    return next((labels for labels in forms if len(set(labels)) == different), forms[-1])


def _open(record: RunRecord, letter: str, label: str) -> ComparedRun:
    settings = settings_of(record)
    outputs = outputs_of(record)
    uri = artifact_of(record, outputs, "ImageEmbedder", "embeddings").uri
    left_out: frozenset[str] = frozenset()
    if settings.evaluation.near_duplicates == "leave_out":
        found = artifact_of(record, outputs, "LeakCheck", "near_duplicates").uri
        with tf.io.gfile.GFile(os.path.join(found, leak_report.FILE)) as file:
            left_out = frozenset(image.id for image in leak_report.loads(file.read()))
    images = run_images.read(uri, _EMBEDDED)
    there = set(images.splits)
    return ComparedRun(
        letter=letter,
        label=label,
        record=record,
        settings=settings,
        embeddings=uri,
        images=images,
        splits=tuple(split for split in _EMBEDDED if split in there),
        protocol=Protocol(settings.evaluation.gallery_splits, left_out, settings.evaluation.ks),
        code=code_of(record),
    )


def common_splits(runs: Sequence[ComparedRun]) -> tuple[str, ...]:
    """The splits whose images all runs have embedded.

    Raises:
        NotComparableError: There is none.
    """
    found = tuple(split for split in SPLITS if all(split in run.splits for run in runs))
    if not found:
        raise NotComparableError(
            "no split of validation and test is embedded in all runs: "
            + "; ".join(f"{run.label}: {', '.join(run.splits) or 'none'}" for run in runs)
        )
    return found
