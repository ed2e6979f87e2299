"""Which runs a workdir has, and which one a reference means."""

from __future__ import annotations

import json
import logging
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from pipeline.run_records import RunNotFoundError, find_run, records, settings_of
from pipeline.settings_loader import SettingsError

OLDER, NEWER = "20260101-080000", "20260102-070000"


def _write(folder: pathlib.Path, **summary: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = {"status": "succeeded", "name": folder.name, "pushed_model": None, **summary}
    (folder / "summary.json").write_text(json.dumps(content), "utf-8")


@pytest.fixture
def workdir(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two runs, in a folder called as the default workdir is."""
    workdir = tmp_path / "runs" / "demo"
    for name in (NEWER, OLDER):
        _write(workdir / "runs" / name)
    _write(workdir, name=NEWER)
    return workdir


def test_runs_come_oldest_first(workdir: pathlib.Path) -> None:
    found = records(workdir)
    assert [record.name for record in found] == [OLDER, NEWER]
    assert found[0].folder == workdir / "runs" / OLDER
    assert found[0].workdir == workdir
    assert found[0].summary["name"] == OLDER


def test_no_runs_are_none(tmp_path: pathlib.Path) -> None:
    assert records(tmp_path) == []
    assert records(tmp_path / "not there") == []


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("{workdir}", NEWER),
        ("{workdir}/runs/" + OLDER, OLDER),
        ("{workdir}/runs/" + OLDER + "/", OLDER),
        ("{workdir}@" + OLDER, OLDER),
        ("{workdir}@20260102", NEWER),
        (OLDER, OLDER),
        ("20260102-0", NEWER),
    ],
)
def test_a_reference_means_a_run(workdir: pathlib.Path, reference: str, name: str) -> None:
    found = find_run(reference.format(workdir=workdir), workdir)
    assert (found.name, found.workdir) == (name, workdir)


def test_references_are_taken_from_where_one_is(
    workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workdir.parent)
    assert find_run("demo").workdir == workdir
    assert find_run(f"demo@{OLDER}").name == OLDER
    monkeypatch.chdir(workdir / "runs" / OLDER)
    assert find_run(".").name == OLDER


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("2026010", rf"several runs in .* called 2026010…: {OLDER}, {NEWER}"),
        ("2025", rf"no run '2025' in .*; there are: {OLDER}, {NEWER}"),
        ("{workdir}@", "no run ''"),
        ("{workdir}/runs/20250101-000000", "no such folder"),
        ("{workdir}/runs", "neither runs/NAME/summary.json nor summary.json"),
        ("nowhere@2026", "no such folder"),
    ],
)
def test_a_reference_that_means_none_is_answered_with_what_there_is(
    workdir: pathlib.Path, reference: str, message: str
) -> None:
    with pytest.raises(RunNotFoundError, match=message):
        find_run(reference.format(workdir=workdir), workdir)


def test_a_name_needs_a_workdir(workdir: pathlib.Path) -> None:
    with pytest.raises(RunNotFoundError, match="WORKDIR@NAME"):
        find_run(OLDER)
    with pytest.raises(RunNotFoundError, match="there is none at all"):
        find_run(OLDER, workdir / "empty")


def test_many_runs_are_not_all_listed(tmp_path: pathlib.Path) -> None:
    for day in range(10, 31):
        _write(tmp_path / "runs" / f"202601{day}-000000")
    with pytest.raises(RunNotFoundError) as raised:
        find_run("2027", tmp_path)
    assert "…, 20260123-000000" in str(raised.value) and "20260122" not in str(raised.value)


def test_a_workdir_of_before_run_folders_is_one_run(tmp_path: pathlib.Path) -> None:
    _write(tmp_path, name=None)
    os.utime(tmp_path / "summary.json", (0, 1_700_000_000))
    (found,) = records(tmp_path)
    assert found.folder == tmp_path
    assert find_run(str(tmp_path)) == found == find_run(f"{tmp_path}@{found.name}")
    # Local time, as the names of runs are.
    assert found.name.startswith("202311")


@pytest.mark.parametrize("text", ["{torn", "[]", "{}", b"\xff"])
def test_a_broken_summary_is_named(
    workdir: pathlib.Path, text: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    broken = workdir / "runs" / NEWER / "summary.json"
    broken.write_bytes(text if isinstance(text, bytes) else text.encode())
    for reference in (str(workdir), NEWER, str(broken.parent)):
        with pytest.raises(RunNotFoundError, match=str(broken)):
            find_run(reference, workdir)
    with caplog.at_level(logging.WARNING):
        assert [record.name for record in records(workdir)] == [OLDER]
    assert str(broken) in caplog.text


def test_settings_are_those_of_the_run(workdir: pathlib.Path) -> None:
    (workdir / "runs" / OLDER / "settings.yaml").write_text("training: {epochs: 7}", "utf-8")
    (workdir / "settings.yaml").write_text("training: {epochs: 8}", "utf-8")
    assert settings_of(find_run(OLDER, workdir)).training.epochs == 7
    with pytest.raises(RunNotFoundError, match=rf"run {NEWER} were not kept"):
        settings_of(find_run(NEWER, workdir))
    (workdir / "runs" / OLDER / "settings.yaml").write_text("training: {epoch: 7}", "utf-8")
    with pytest.raises(SettingsError, match=r"settings\.yaml cannot be used.*'training\.epoch'"):
        settings_of(find_run(OLDER, workdir))


def test_before_run_folders_only_a_run_that_pushed_kept_its_settings(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "settings.yaml").write_text("training: {epochs: 8}", "utf-8")
    _write(tmp_path, name=None)
    with pytest.raises(RunNotFoundError, match="of this run"):
        settings_of(find_run(str(tmp_path)))
    _write(tmp_path, name=None, pushed_model="/models/7")
    assert settings_of(find_run(str(tmp_path))).training.epochs == 8


def test_nothing_heavy_is_imported() -> None:
    script = (
        "import sys; import pipeline.run_records; "
        "assert not {'tensorflow', 'tfx', 'ml_metadata', 'pydantic', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
