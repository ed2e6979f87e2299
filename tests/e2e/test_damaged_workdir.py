"""What a run says of damage to what earlier runs left, and that it goes on as the message says."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable

import pytest

from pipeline.cli import main

pytestmark = pytest.mark.e2e


def test_damage_is_named_nothing_is_deleted_and_the_remedy_works(
    tmp_path: pathlib.Path,
    tiny: tuple[str, ...],
    make_photo: Callable[..., bytes],
    capfd: pytest.CaptureFixture[str],
) -> None:
    photos, workdir = tmp_path / "photos", tmp_path / "workdir"
    for number in range(20):
        path = photos / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make_photo(number))
    settings = [*tiny, f"data.folder={photos}", "report.enabled=false"]

    def run(*more: str) -> tuple[int, str]:
        given = [f"--set={setting}" for setting in settings]
        status = main(["run", f"--workdir={workdir}", "--to=StatisticsGen", *more, *given])
        printed = capfd.readouterr().err
        return status, printed[printed.rindex("flowersim: ") :] if status else ""

    assert run()[0] == 0

    # A result of an earlier run that is cut short: told by whoever reads it.
    (examples,) = workdir.glob("pipeline_root/TfdsExampleGen/examples/*")
    (records,) = examples.glob("Split-train/*.gz")
    os.truncate(records, records.stat().st_size // 2)
    status, said = run("--from=StatisticsGen", "--no-cache")
    assert status == 1
    assert said.startswith(f"flowersim: StatisticsGen failed: {records}, the result of an earlier")
    assert f"move the folder {examples} away" in said and len(said.splitlines()) == 3
    examples.rename(tmp_path / "damaged examples")
    assert run()[0] == 0

    # A store that is cut short.
    store, results = workdir / "metadata.sqlite", workdir / "pipeline_root"
    os.truncate(store, store.stat().st_size // 2)
    damaged = store.read_bytes()
    status, said = run()
    assert status == 1 and said.startswith(f"flowersim: {store}, which remembers what was run, is")
    assert len(said.splitlines()) == 1 and store.read_bytes() == damaged

    # Half of what the message says: old results would be mixed with new ones.
    store.rename(tmp_path / "damaged.sqlite")
    status, said = run()
    assert status == 1 and said.startswith(f"flowersim: {results} holds results up to execution")
    results.rename(tmp_path / "old results")
    assert not store.exists()
    assert run()[0] == 0
    assert list(results.glob("TfdsExampleGen/examples/*"))
