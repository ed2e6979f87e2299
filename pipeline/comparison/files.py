"""Where a comparison is written: JSON and the page, each whole or not at all."""

from __future__ import annotations

import hashlib
import json
import pathlib
import re
from collections.abc import Sequence

from pipeline.comparison.compare import Comparison
from pipeline.comparison.compared_run import run_labels
from pipeline.comparison.page import render
from pipeline.run_records import RunRecord

FOLDER = "comparisons"

# Of a file's name, most of what a file system takes.
_LONGEST = 150


def default_page(records: Sequence[RunRecord]) -> pathlib.Path:
    """Returns where the page goes if nobody says: into the workdir of the last run."""
    name = re.sub(r"[^\w.@-]+", "-", "--".join(run_labels(records))).strip("-")
    if len(name) > _LONGEST:
        name = f"{name[:_LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return records[-1].workdir / FOLDER / f"{name}.html"


def write_json(path: pathlib.Path, comparison: Comparison) -> None:
    """Writes all numbers; the pictures are only named."""
    _write(path, json.dumps(comparison.content, indent=1, ensure_ascii=False, allow_nan=False))


def write_page(path: pathlib.Path, comparison: Comparison) -> None:
    """Writes the page."""
    _write(path, render(comparison))


def _write(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text + "\n", "utf-8")
    partial.replace(path)
