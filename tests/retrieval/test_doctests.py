"""The examples in the docstrings of `retrieval` are true."""

from __future__ import annotations

import doctest
import importlib
import pathlib

import pytest

import retrieval

MODULES = sorted(path.stem for path in pathlib.Path(retrieval.__path__[0]).glob("[a-z]*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str):
    result = doctest.testmod(importlib.import_module(f"retrieval.{name}"))
    assert result.attempted > 0, f"retrieval/{name}.py shows no example"
    assert result.failed == 0
