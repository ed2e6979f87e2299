"""The benchmark of served search on a gallery small enough for a test."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks import served_search

SMALL = ["--only", "routed", "--rows", "5000", "--dim", "8", "--per-class", "5", "--rounds", "1"]


def test_all_cells_find_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    more = ["--noise", "0.7", "--bounds", "2", "40", "--probes", "1", "5000"]
    monkeypatch.setattr(sys, "argv", ["served_search.py", *SMALL, *more])
    served_search.main()
    routed = json.loads(capsys.readouterr().out)["routed"]
    assert routed["cells"] == {"count": 1000, "fewest": 5, "most": 5}
    few, every = routed["probes"]["1"], routed["probes"]["5000"]
    assert 0.0 < few["recall_at_10"] < every["recall_at_10"] == 1.0
    assert 0.0 < routed["own_class"] < 1.0
    assert all(set(found["speed_up"]) == {"1", "32"} for found in (few, every))


def test_rows_that_cannot_be_classes_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["served_search.py", *SMALL, "--per-class", "7"])
    with pytest.raises(SystemExit):
        served_search.main()
    assert "--rows must be a multiple of 500 times --per-class" in capsys.readouterr().err
