"""Gathers the findings of a run from its artifacts.

The content, which is JSON; what is not known is null, and NaN and infinity never appear:

- `version`: of the format.
- `splits`: `[{name, images}]` after ingestion.
- `classes`: names, sorted; elsewhere a class is its position here.
- `data`: see `data_section.py`.
- `training`: the Trainer's `history.json`.
- `evaluations`, `not_blessed_because`: see `evaluation_section.py`; `blessed`; `serving_check`:
  ServingCheck's `serving_check.json`; `gallery_size`: how many images the served model searches.
- `subject`: the split that all below is about: test, if it is there, else validation.
- `protocol`: `{queries, without_relevant, gallery, gallery_splits, left_out}`: how many queries
  there are, how many have no image of their class to find (no mean counts them), how many images
  were searched, in which splits, and how many near-duplicates took no part.
- `balanced`, `per_class`, `confusions`: see `classes.py`; `sheets`: see `sheets.py`; `scores`: see
  `scores.py`.
- `map`: see `embedding_map.py`; with `sprite` (key of its picture, or null), `tile` and `columns`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components.leak_check import report as leak_report
from components.leak_check.report import NearDuplicate
from components.report.findings import (
    classes,
    data_section,
    embedding_map,
    evaluation_section,
    run_images,
)
from components.report.findings.pictures import PictureBook
from components.report.findings.query_results import QueryResults, search
from components.report.findings.run_images import RunImages
from components.report.findings.scores import scores
from components.report.findings.sheets import sheets
from components.report.findings.sprite import sprite
from components.report.findings.store import VERSION, Findings
from components.report.sources import ReportConfig, Sources
from components.tfds_example_gen import report as ingestion_report

Progress = Callable[[str], None]

# Of the bytes of all pictures, the share that single ones may take; the sprite gets what is left.
_SINGLE_SHARE = 0.4
_SPRITE_KEY = "map"


def gather(sources: Sources, config: ReportConfig, progress: Progress | None = None) -> Findings:
    """Gathers what is there; a run that failed half-way has findings too.

    Args:
        sources: The artifacts.
        config: The protocol of the evaluation, and limits.
        progress: Told what begins, in a few words.

    Raises:
        ValueError: Two images have one id.
        OSError: An artifact that is named is not there.
    """
    say = progress or _silent
    say("reading results")
    evaluations = evaluation_section.evaluations(sources.evaluations)
    ingestion = ingestion_report.read(sources.examples) if sources.examples else None
    near = _near_duplicates(sources)
    say("reading images")
    embedded = sources.embedded_splits if sources.embeddings else ()
    images = run_images.read(sources.embeddings or "", embedded)
    pictures = PictureBook(images)
    names = data_section.splits(ingestion, embedded)
    subject = _subject(images, config)
    away = {found.id for found in near or ()} if config.left_out else set()
    results = None
    if subject:
        searched = config.gallery_splits or (subject,)
        say(f"searching for {np.count_nonzero(images.splits == subject)} images")
        ks = evaluation_section.cut_offs(evaluations.get(subject))
        results = search(images, [subject], searched, left_out=away, ks=ks)
    content: dict[str, Any] = {
        "version": VERSION,
        "splits": data_section.counted(names, ingestion, images),
        "classes": list(images.class_names),
        "data": data_section.data_section(
            names, embedded, ingestion, near, images, pictures, left_out=config.left_out
        ),
        "training": _json(sources.model_run, "history.json"),
        "evaluations": evaluations,
        "blessed": sources.blessed,
        "not_blessed_because": evaluation_section.not_blessed_because(
            sources.evaluations, sources.blessed
        ),
        "serving_check": _json(sources.serving_check, "serving_check.json"),
        "gallery_size": sources.gallery_size,
        "subject": subject,
        **_of_queries(images, results, sources, config, pictures, say),
    }
    rows = embedding_map.chosen(images, config.map_images, config.seed)
    say(f"mapping {len(rows)} images")
    content["map"] = embedding_map.embedding_map(images, rows, names, results, config.seed)
    say("drawing pictures")
    # Base64 takes four characters for three bytes.
    budget = config.max_megabytes * 1e6 * 3 / 4
    drawn = pictures.draw(budget * _SINGLE_SHARE)
    if content["map"]:
        left = budget - sum(map(len, drawn.values()))
        content["map"].update(_sprite(images.thumbnails[rows].tolist(), left, drawn))
    return Findings(_finite(content), drawn)


def _silent(_: str) -> None:
    """Tells nobody."""


def _near_duplicates(sources: Sources) -> list[NearDuplicate] | None:
    if sources.near_duplicates is None:
        return None
    with tf.io.gfile.GFile(os.path.join(sources.near_duplicates, leak_report.FILE)) as file:
        return leak_report.loads(file.read())


def _json(uri: str | None, name: str) -> Any:
    if uri is None:
        return None
    with tf.io.gfile.GFile(os.path.join(uri, name)) as file:
        return json.load(file)


def _subject(images: RunImages, config: ReportConfig) -> str | None:
    """The split to look at: one with images, whose gallery is embedded."""
    there = set(images.splits)
    for split in ("test", "validation"):
        if {split, *config.gallery_splits} <= there:
            return split
    return None


def _of_queries(
    images: RunImages,
    results: QueryResults | None,
    sources: Sources,
    config: ReportConfig,
    pictures: PictureBook,
    say: Progress,
) -> dict[str, Any]:
    """What is about the subject's queries; of none, everything is null or empty."""
    if results is None:
        return {
            "protocol": None,
            "balanced": {},
            "per_class": [],
            "confusions": [],
            "sheets": {"best": [], "typical": [], "worst": []},
            "scores": None,
        }
    # Without an index of the run, or one of splits that are not embedded: what was evaluated.
    served = np.flatnonzero(images.among(config.served_splits))
    say("comparing scores")
    return {
        "protocol": {
            "queries": len(results.rows),
            "without_relevant": int((~results.answered).sum()),
            "gallery": len(results.gallery),
            "gallery_splits": sorted(set(images.splits[results.gallery])),
            "left_out": results.left_out,
        },
        "balanced": classes.balanced(results, images),
        "per_class": classes.per_class(results, images),
        "confusions": classes.confusions(results, images, pictures),
        "sheets": sheets(results, images, pictures),
        "scores": scores(
            images,
            results.rows,
            served if len(served) else results.gallery,
            sources.match_threshold,
        ),
    }


def _sprite(
    thumbnails: Sequence[bytes], max_bytes: float, drawn: dict[str, bytes]
) -> Mapping[str, Any]:
    found = sprite(thumbnails, max_bytes)
    if found is None:
        return {"sprite": None, "tile": None, "columns": None}
    key = _SPRITE_KEY
    while key in drawn:
        key += "_"
    drawn[key] = found.picture
    return {"sprite": key, "tile": found.tile, "columns": found.columns}


def _finite(value: Any) -> Any:
    """The same with null for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
