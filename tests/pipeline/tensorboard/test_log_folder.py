"""The folder that TensorBoard reads: what is made, what is left alone, and what is refused."""

from __future__ import annotations

import pathlib
import shutil

import pytest

from pipeline.run_records import find_run
from pipeline.tensorboard.log_folder import TensorBoardError, prepare
from tests.pipeline.tensorboard.conftest import EPOCHS, Workdir

FIRST, SECOND, THIRD = "20260101-100000", "20260102-100000", "20260103-100000"


def _files(folder: pathlib.Path) -> dict[str, int]:
    """Files of the trainings and when they were written."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.glob("*/**/*")
        if path.is_file()
    }


def test_what_is_prepared_is_not_done_again(two_trainings: Workdir) -> None:
    root = two_trainings.root
    prepared = prepare(root)
    assert prepared.folder == root / "tensorboard"
    assert [(shown.training.name, shown.anew) for shown in prepared.shown] == [
        (FIRST, True),
        (THIRD, True),
    ]
    assert [run.name for run in prepared.shown[0].training.runs] == [FIRST, SECOND]
    before = _files(prepared.folder)
    assert not any(shown.anew for shown in prepare(root).shown)
    assert _files(prepared.folder) == before
    # One that has other results by now is made anew, the others are not.
    two_trainings.run(THIRD, "2", recall=0.125)
    assert [shown.anew for shown in prepare(root).shown] == [False, True]
    after = _files(prepared.folder)
    assert {name for name in before if after.get(name) == before[name]} == {
        name for name in before if name.startswith(FIRST)
    }
    assert len(list(prepared.folder.glob("events*"))) == 1
    assert not list(root.glob(".tensorboard*"))


def test_a_wanted_run_alone_is_prepared_and_others_stay(two_trainings: Workdir) -> None:
    root = two_trainings.root
    prepare(root, [find_run(THIRD, root)])
    assert [path.name for path in (root / "tensorboard").glob("2*")] == [THIRD]
    prepare(root, [find_run(FIRST, root)])
    assert {path.name for path in (root / "tensorboard").glob("2*")} == {FIRST, THIRD}


def test_trainings_that_are_no_more_are_removed(two_trainings: Workdir) -> None:
    root = two_trainings.root
    prepare(root)
    (root / "tensorboard" / "notes").mkdir()  # nobody else's
    shutil.rmtree(root / "runs" / THIRD)
    prepare(root)
    assert {path.name for path in (root / "tensorboard").iterdir() if path.is_dir()} == {
        FIRST,
        "notes",
    }


def test_what_was_purged_is_missed_and_said(two_trainings: Workdir) -> None:
    root = two_trainings.root
    shutil.rmtree(root / "ImageEmbedder" / "1")
    shutil.rmtree(root / "Trainer" / "2")
    first, second = prepare(root).shown
    assert len(first.lacks) == 1 and first.lacks[0].startswith("no projector: ")
    assert len(second.lacks) == 1 and second.lacks[0].startswith("no curves: ")
    assert (root / "tensorboard" / THIRD / "projector_config.pbtxt").is_file()
    assert not (root / "tensorboard" / FIRST / "projector_config.pbtxt").exists()


def test_a_run_without_a_training_is_left_out(workdir: Workdir) -> None:
    workdir.train("1", EPOCHS)
    workdir.run(FIRST, "1")
    workdir.run(SECOND, None)
    prepared = prepare(workdir.root)
    assert [shown.training.name for shown in prepared.shown] == [FIRST]
    assert prepared.left_out == {SECOND: "its Trainer did not finish"}
    with pytest.raises(TensorBoardError, match=f"run {SECOND} has nothing to show: its Trainer"):
        prepare(workdir.root, [find_run(SECOND, workdir.root)])


def test_no_training_at_all_is_explained(workdir: Workdir) -> None:
    with pytest.raises(TensorBoardError, match="no run in .* has a finished training"):
        prepare(workdir.root)
    workdir.run(FIRST, None)
    with pytest.raises(TensorBoardError, match=f"\n  {FIRST}: its Trainer did not finish"):
        prepare(workdir.root)
    assert not (workdir.root / "tensorboard").exists()
