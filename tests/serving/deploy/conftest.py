"""What a container would find: pushed models and configuration files, somewhere else."""

from __future__ import annotations

import pathlib
import shutil

import pytest

from tests.serving.deploy.deploy_files import CONFIG


@pytest.fixture
def models(tmp_path, push) -> pathlib.Path:
    """A folder of models, `/models` in a container, with versions 1 and 2 of flowers."""
    folder = tmp_path / "models"
    (folder / "flowers").mkdir(parents=True)
    push(folder / "flowers", 1)
    push(folder / "flowers", 2)
    return folder


@pytest.fixture
def config(tmp_path, models) -> pathlib.Path:
    """The configuration files, which find the models there."""
    folder = tmp_path / "config"
    shutil.copytree(CONFIG, folder)
    for path in folder.glob("models*.config"):
        path.write_text(path.read_text("utf-8").replace('"/models/', f'"{models}/'), "utf-8")
    return folder
