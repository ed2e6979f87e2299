"""What the tests of the executor share."""

from __future__ import annotations

import pathlib
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline.spec_executor.run import Run
from pipeline.spec_executor.runner import execute
from tests.pipeline.spec_executor.specs import Spec


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Whoever runs the tests in the background has SIGINT ignored, and a run would never stop."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Callable[..., Run]:
    """Gives `run(spec, **options)`: executes a spec, always in the same store."""

    def do(spec: Spec, **options: Any) -> Run:
        options.setdefault("pipeline_root", tmp_path / "root")
        return execute(spec.load(tmp_path), tmp_path / "store", **options)

    return do
