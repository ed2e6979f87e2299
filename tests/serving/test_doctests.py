"""The examples in the docstrings of `serving` are true."""

from __future__ import annotations

import doctest
import importlib
import pathlib

import pytest

import serving

MODULES = sorted(
    path.stem
    for path in pathlib.Path(serving.__path__[0]).glob("[a-z]*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str):
    result = doctest.testmod(importlib.import_module(f"serving.{name}"))
    assert result.attempted > 0 and result.failed == 0
