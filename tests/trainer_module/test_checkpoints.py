"""Checkpoints on a disk and behind a URL: a kill at any write leaves a state to resume from."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.object_store.guard import no_local_urls
from tests.object_store.memory import memory_bucket
from tests.small_disk import free_bytes, remount, small_disk
from trainer_module import checkpoints
from trainer_module.checkpoints import CheckpointFolder, Progress


@pytest.fixture(params=["disk", "url"])
def folder(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[str]:
    if request.param == "disk":
        yield str(tmp_path / "new")
    else:
        with memory_bucket() as url:
            yield f"{url}/new"


def model(value: float = 0.0) -> keras.Model:
    made = keras.Sequential([keras.Input([2]), keras.layers.Dense(3)])
    made.compile("adam", "mse")
    made.optimizer.build(made.trainable_variables)
    made.layers[0].kernel.assign(np.full([2, 3], value))
    return made


def value_of(trained: keras.Model) -> float:
    return float(trained.layers[0].kernel[0, 0])


def progress(epoch: int, best: int) -> Progress:
    return Progress(epoch, best, best_score=best / 10, history=[{"loss": 1.0}] * epoch)


def weights_in(folder: str) -> list[str]:
    return sorted(n for n in tf.io.gfile.listdir(folder) if n.endswith(".weights.h5"))


def test_training_goes_on_after_the_last_epoch_and_ends_with_the_best(folder: str) -> None:
    with no_local_urls():
        saved = CheckpointFolder(folder)
        for epoch, best in ((1, 1), (2, 2), (3, 2), (4, 2)):
            saved.save(model(epoch), progress(epoch, best))
        restored = model()
        found = CheckpointFolder(folder).restore(restored)
        assert found == progress(4, 2)
        assert value_of(restored) == 4.0
        CheckpointFolder(folder).load_best(restored, found)
        assert value_of(restored) == 2.0
        assert weights_in(folder) == ["epoch-00002.weights.h5", "epoch-00004.weights.h5"]


def test_a_fresh_start_and_a_cleared_folder_are_the_same(folder: str) -> None:
    with no_local_urls():
        saved = CheckpointFolder(folder)
        assert saved.restore(model()) == Progress()
        saved.clear()
        CheckpointFolder(folder).save(model(1.0), progress(1, 1))
        CheckpointFolder(folder).clear()
        assert not tf.io.gfile.exists(f"{folder}/progress.json")
        assert CheckpointFolder(folder).restore(model()) == Progress()


@pytest.mark.parametrize("step", range(3))
def test_a_kill_while_saving_leaves_one_of_two_whole_states(
    folder: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = CheckpointFolder(folder)
    saved.save(model(1.0), progress(1, 1))

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        match step:
            case 0 if "://" in folder:
                patch.setattr(tf.io.gfile, "copy", die)
            case 0:
                patch.setattr(keras.Model, "save_weights", _half)
            case 1:
                patch.setattr(checkpoints.storage, "write", die)
            case 2:
                patch.setattr(checkpoints.storage, "remove", die)
        with pytest.raises(KeyboardInterrupt):
            saved.save(model(2.0), progress(2, 2))
    restored = model()
    epoch = CheckpointFolder(folder).restore(restored).epoch
    assert (epoch, value_of(restored)) == ((2, 2.0) if step == 2 else (1, 1.0))
    # And it goes on from there.
    saved.save(model(3.0), progress(epoch + 1, epoch + 1))
    assert CheckpointFolder(folder).restore(restored).epoch == epoch + 1
    assert weights_in(folder) == [f"epoch-{epoch + 1:05d}.weights.h5"]


def test_a_full_disk_leaves_the_state_of_the_epoch_before(tmp_path: pathlib.Path) -> None:
    def large(value: float) -> keras.Model:
        made = keras.Sequential([keras.Input([2**8]), keras.layers.Dense(2**9)])
        made.compile("sgd", "mse")
        made.optimizer.build(made.trainable_variables)
        made.layers[0].kernel.assign(np.full([2**8, 2**9], value))
        return made

    with small_disk(tmp_path / "disk", "1m") as disk:  # half a megabyte a state
        saved = CheckpointFolder(str(disk / "state"))
        saved.save(large(1.0), progress(1, 1))
        with pytest.raises(OSError, match="No space left on device"):
            saved.save(large(2.0), progress(2, 2))
        # There is room again for what a run has to say of it.
        assert free_bytes(disk) > 2**18
        restored = large(0.0)
        assert CheckpointFolder(str(disk / "state")).restore(restored).epoch == 1
        assert value_of(restored) == 1.0
        remount(disk, "size=4m")
        saved.save(large(2.0), progress(2, 2))
        assert CheckpointFolder(str(disk / "state")).restore(restored).epoch == 2


def test_a_kill_while_clearing_leaves_nothing_that_is_taken_for_a_state(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = CheckpointFolder(folder)
    saved.save(model(1.0), progress(1, 1))

    def part(path: str) -> None:
        tf.io.gfile.remove(f"{path}/{weights_in(path)[0]}")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tf.io.gfile, "rmtree", part)
        with pytest.raises(KeyboardInterrupt):
            saved.clear()
    assert CheckpointFolder(folder).restore(model()) == Progress()


def _half(self: keras.Model, path: str, **_: Any) -> None:
    """Keras in the middle of a file."""
    pathlib.Path(path).write_bytes(b"\x89HDF half")
    raise KeyboardInterrupt
