"""A comparison of small runs that differ in everything a page and a terminal have to show."""

from __future__ import annotations

import pathlib

import pytest

from pipeline.comparison.compare import Comparison, compare
from pipeline.run_records import find_run
from tests.pipeline.comparison.small_workdir import images, shaken, write_run


@pytest.fixture(scope="session")
def small_runs(tmp_path_factory: pytest.TempPathFactory) -> list[pathlib.Path]:
    """Folders of three runs in two workdirs; the last has another protocol and another gallery."""
    one, two = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    embedded = images()
    fewer = shaken(embedded, seed=2)[:-2]
    return [
        write_run(one, embedded, name="20260101-080000"),
        write_run(
            one, shaken(embedded), name="20260102-070000", code="1" * 16,
            overrides=["training.epochs=5", "run.beam_args=[--a=<i>&amp;]"],
            summary={"blessed": False, "pushed_model": None, "started": "2026-01-02T07:00:00Z"},
        ),
        write_run(
            two, fewer, overrides=["evaluation.gallery_splits=[train]"],
            summary={"status": "failed", "blessed": None, "pushed_model": None},
        ),
    ]  # fmt: skip


@pytest.fixture(scope="session")
def two_compared(small_runs: list[pathlib.Path]) -> Comparison:
    """The first two."""
    return compare([find_run(str(folder)) for folder in small_runs[:2]])


@pytest.fixture(scope="session")
def three_compared(small_runs: list[pathlib.Path]) -> Comparison:
    """All."""
    return compare([find_run(str(folder)) for folder in small_runs])
