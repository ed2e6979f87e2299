"""A run on a disk that is full: what it says, what it leaves, and that it goes on later."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from tests.small_disk import small_disk

pytestmark = pytest.mark.e2e

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Seen(NamedTuple):
    """Of one run: its exit status, and what a user saw."""

    status: int
    text: str

    def failed(self, disk: pathlib.Path, beginning: str) -> list[str]:
        """Checks that it failed for want of space, and returns the lines it ended with."""
        assert self.status == 1 and "Traceback" not in self.text, self.text
        said = self.text[self.text.index("flowersim: ") :].splitlines()
        assert said[0].startswith(f"flowersim: {beginning}"), self.text
        assert f"the disk of {disk} has " in said[0] and len(said) <= 3, self.text
        return said


@pytest.fixture
def disk(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    with small_disk(tmp_path / "disk", "300m") as mounted:
        yield mounted


def _runs(
    disk: pathlib.Path, overrides: Sequence[str], steps: Sequence[tuple[int | None, list[str]]]
) -> list[Seen]:
    """Runs in turn, each with so many bytes left to write to (None: all), and a part of the DAG."""
    settings = [f"--workdir={disk}", *(f"--set={setting}" for setting in overrides)]
    given = [(str(disk), leave, [*settings, *part]) for leave, part in steps]
    result = subprocess.run(
        [sys.executable, str(ROOT / "tests/e2e/full_disk_runs.py"), json.dumps(given)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [Seen(*json.loads(line).values()) for line in result.stdout.splitlines()]


def _summaries(disk: pathlib.Path) -> list[dict[str, Any]]:
    paths = sorted(disk.glob("runs/*/summary.json"))
    return [json.loads(path.read_text("utf-8")) for path in paths]


def test_data_that_has_no_space_is_told_and_brought_in_later(
    disk: pathlib.Path, tmp_path: pathlib.Path, tiny: tuple[str, ...]
) -> None:
    for number in range(20):
        # Noise of 200 kB each, so that it is photos for which there is no space.
        photo = tmp_path / "photos" / f"class {number % 2}" / f"{number}.png"
        photo.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (256, 256, 3), np.uint8)
        Image.fromarray(noise).save(photo)
    ingest = ["--to", "TfdsExampleGen"]
    preparing, schema, ingesting, again = _runs(
        disk,
        [*tiny, f"data.folder={tmp_path / 'photos'}", "report.enabled=false"],
        [(1_000_000, ingest), (None, ["--to", "ImportSchemaGen"]), (1_000_000, ingest)]
        + [(None, ingest)],
    )
    preparing.failed(disk, "no space is left for what has to be written: ")
    assert schema.status == 0, schema.text
    said = ingesting.failed(disk, "TfdsExampleGen failed: no space is left for what it writes: ")
    assert "the same command goes on from here" in said[-1]
    assert again.status == 0, again.text
    summaries = _summaries(disk)
    assert (summaries[-1]["status"], summaries[-1]["images"]["train"]) == ("succeeded", 12)
    # A disk without a single free byte has no place for a summary either, and that is told.
    failed = [summary["error"] for summary in summaries if summary["status"] == "failed"]
    if "no summary of this run could be written" in ingesting.text:
        assert failed == []
    else:
        (error,) = failed
        assert error in said[0]


@pytest.mark.extended
def test_a_model_that_has_no_space_is_trained_on_and_pushed_whole_later(
    disk: pathlib.Path, tiny: tuple[str, ...]
) -> None:
    versions = disk / "serving" / "flowers"
    training, rest, pushing, again = _runs(
        disk,
        tiny,
        [
            # Room for the checkpoint of one epoch, and not for the next beside it.
            (60_000_000, []),
            (None, ["--to", "ServingCheck"]),
            # Room for half a model.
            (8_000_000, []),
            (None, []),
        ],
    )
    assert rest.status == again.status == 0, rest.text + again.text
    training.failed(disk, "Trainer failed: no space is left for what it writes: ")
    logs = "".join(path.read_text("utf-8") for path in (disk / "logs").iterdir())
    assert "Training goes on after epoch 1." in logs
    pushing.failed(disk, "Pusher failed: no space is left for what it writes: ")
    summaries = _summaries(disk)
    statuses = ["failed", "succeeded", "failed", "succeeded"]
    assert [summary["status"] for summary in summaries] == statuses
    assert summaries[2]["pushed_model"] is None
    (version,) = versions.iterdir()
    assert str(version) == summaries[3]["pushed_model"]
