"""A small run, and what is found in it."""

from __future__ import annotations

import pathlib

import pytest

from components.report.findings.gather import gather
from components.report.findings.store import Findings
from tests.components.report.small_run import SmallRun, small_run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    """A whole run, with evaluations."""
    return small_run(tmp_path_factory.mktemp("run") / "artifacts")


@pytest.fixture(scope="session")
def found(run: SmallRun) -> Findings:
    """What is found in it."""
    return gather(run.sources, run.config)


@pytest.fixture
def artifacts(tmp_path: pathlib.Path) -> pathlib.Path:
    """Where the artifacts of a run may go."""
    return tmp_path / "artifacts"
