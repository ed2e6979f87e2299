"""Helpers of the tests of what is trained."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def run_python() -> Callable[..., subprocess.CompletedProcess]:
    """Gives `run_python(code, *arguments)`: runs it in a fresh interpreter; fails if that fails."""
    root = pathlib.Path(__file__).resolve().parents[2]

    def run(code: str, *arguments: str) -> subprocess.CompletedProcess:
        result = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=root,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr[-3000:]
        return result

    return run
