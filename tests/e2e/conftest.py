"""What the runs of whole pipelines share."""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

TINY = [
    "data.synthetic.classes=3",
    "data.synthetic.train_per_class=6",
    "data.synthetic.validation_per_class=4",
    "data.synthetic.test_per_class=3",
    "data.synthetic.image_size=48",
    "images.canonical_size=40",
    "model.input_size=32",
    "model.embedding_dim=8",
    "training.epochs=2",
    "training.batch_size=6",
    "evaluation.min_recall_at_1=0.0",
    "evaluation.allowed_drop=1.0",
    "gallery.neighbours=7",
]


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """Settings, on top of the preset demo, of the smallest pipeline that does everything."""
    return tuple(TINY)


@pytest.fixture(scope="session")
def whole(tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The summary of a whole run with these settings, made once for all workers. Read only."""
    from pipeline.local_runner import run
    from pipeline.settings_loader import load_settings

    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    with open(root / "whole.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        summary = root / "whole" / "summary.json"
        if not summary.exists():
            run(load_settings("demo", tiny), root / "whole", preset="demo")
        return json.loads(summary.read_text("utf-8"))


@pytest.fixture(scope="module")
def small(tiny: tuple[str, ...]) -> str:
    """Arguments that make a run small."""
    return " ".join(f"--set {setting}" for setting in tiny)


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory,
    make_photo: Callable[..., bytes],
    write_dataset: Callable[..., pathlib.Path],
) -> pathlib.Path:
    """A user's folder: the environment, a photo, a folder of photos, a prepared dataset."""
    home = tmp_path_factory.mktemp("home")
    (home / ".venv").symlink_to(sys.prefix)
    for index in range(24):
        photo = home / "PHOTOS" / f"species {index % 3}" / f"{index}.jpg"
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(make_photo(index))
    splits = {
        split: [[(make_photo(100 * number + i), i % 2, None) for i in range(6)]]
        for number, split in enumerate(("train", "validation", "test"))
    }
    write_dataset(home / "FOLDER", "roses", ["red", "white"], splits)
    return home
