"""What SECURITY.md judges is what is locked, and the audit passes over nothing else in silence."""

from __future__ import annotations

import pathlib
import re
import stat
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))


def judged() -> list[tuple[str, list[str], list[str]]]:
    """Package, versions and advisories of each line of the table."""
    found = []
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if advisories := re.findall(r"\b(?:CVE|GHSA|PYSEC)-[\w-]+", cells[2] if cells[2:] else ""):
            versions = re.findall(r"\d+(?:\.\d+)+", cells[1].partition("(")[0])
            found.append((cells[0], versions, advisories))
    return found


def test_the_table_is_read():
    assert {"pyarrow", "protobuf", "ipython"} <= {package for package, _, _ in judged()}
    assert all(versions and advisories for _, versions, advisories in judged())


@pytest.mark.parametrize(("package", "versions", "advisories"), judged())
def test_what_is_judged_is_locked(package: str, versions: list[str], advisories: list[str]):
    """A version that is in no lock any more: judge anew, or take the line out."""
    pins = {line for lock in LOCKS for line in lock.read_text().splitlines()}
    for version in versions:
        assert f"{package}=={version}" in pins, advisories


def test_every_test_that_is_named_exists():
    named = re.findall(r"`(tests/[\w/.]+)`", TEXT)
    assert len(named) > 15
    assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("failing", ["", "tfx-1.16-py310.lock", "tfx-1.21-py313.lock"])
def test_the_audit_looks_at_every_lock_strictly(tmp_path: pathlib.Path, failing: str):
    calls, uv = tmp_path / "calls", tmp_path / "uv"
    uv.write_text(
        f'#!/bin/sh\necho "$@" >> "{calls}"\n'
        f'case "$*" in *"{failing or "no such"}"*) exit 1;; esac\n'
    )
    uv.chmod(uv.stat().st_mode | stat.S_IXUSR)
    command = ["bash", str(ROOT / "requirements" / "audit.sh"), str(uv)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == (1 if failing else 0), done.stderr
    lines = calls.read_text().splitlines()
    assert len(lines) == len(LOCKS)
    for lock, line in zip(LOCKS, sorted(lines), strict=True):
        words = line.split()
        assert words[:3] == ["tool", "run", "pip-audit"] and "--strict" in words
        assert words[words.index("--requirement") + 1] == f"requirements/{lock.name}"
        passed_over = [
            two for one, two in zip(words, words[1:], strict=False) if one == "--ignore-vuln"
        ]
        assert passed_over == sorted({one for _, _, ids in judged() for one in ids})


# A file of Arrow's whose schema has a pickle in it, which pyarrow before 14.0.1 would load.
HOSTILE_ARROW = """
import os, pickle, sys

class Command:
    def __reduce__(self):
        return os.mkdir, (sys.argv[1],)

import apache_beam
import pyarrow

kind = {
    b"ARROW:extension:name": b"arrow.py_extension_type",
    b"ARROW:extension:metadata": pickle.dumps(Command(), 2),
}
schema = pyarrow.schema([pyarrow.field("x", pyarrow.int64(), metadata=kind)])
sink = pyarrow.BufferOutputStream()
with pyarrow.ipc.new_stream(sink, schema) as writer:
    writer.write_batch(pyarrow.record_batch([pyarrow.array([1])], schema=schema))
try:
    pyarrow.ipc.open_stream(sink.getvalue()).read_all()
except RuntimeError as error:
    print("refused:", error)
"""


def test_arrow_files_run_nothing_once_beam_is_imported(tmp_path: pathlib.Path):
    trace = tmp_path / "was here"
    command = [sys.executable, "-c", HOSTILE_ARROW, str(trace)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not trace.exists()
