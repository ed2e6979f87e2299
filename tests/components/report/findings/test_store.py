"""Findings as files."""

from __future__ import annotations

import json
import math
import pathlib
import subprocess
import sys

import pytest

from components.report.findings import store
from components.report.findings.store import Findings
from tests.object_store.memory import memory_bucket

FINDINGS = Findings(
    {"version": 1, "classes": ["Ёлка", "rose <b>"], "blessed": None}, {"ä 1.jpg": b"\x00\xff"}
)


def test_what_is_written_is_read(tmp_path: pathlib.Path) -> None:
    store.write(FINDINGS, tmp_path / "new folder")
    assert store.read(tmp_path / "new folder") == FINDINGS
    names = {path.name for path in (tmp_path / "new folder").iterdir()}
    assert names == {"findings.json", "pictures.json"}


def test_in_a_bucket() -> None:
    with memory_bucket() as bucket:
        store.write(FINDINGS, f"{bucket}/report/1")
        assert store.read(f"{bucket}/report/1") == FINDINGS


def test_what_json_does_not_have_is_refused_and_nothing_is_lost(tmp_path: pathlib.Path) -> None:
    store.write(FINDINGS, tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        store.write(Findings({"version": 1, "value": math.nan}, {}), tmp_path)
    assert store.read(tmp_path) == FINDINGS


def test_findings_that_are_not_there_or_of_another_version(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.read(tmp_path)
    (tmp_path / "findings.json").write_text(json.dumps({"version": 99}), "utf-8")
    with pytest.raises(ValueError, match="version 99"):
        store.read(tmp_path)


def test_reading_needs_no_tensorflow(tmp_path: pathlib.Path) -> None:
    store.write(FINDINGS, tmp_path)
    code = (
        "import sys; from components.report.findings import store; store.read(sys.argv[1]); "
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
