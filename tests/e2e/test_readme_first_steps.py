"""Which of the README's commands are executed, and those of them that need no trained model.

Each is run as it stands there; what is added makes it small or keeps it off the network. The others
follow in `test_readme_commands.py`. `NOT_EXECUTED` says which are not, and why. Two take long, and
are marked extended.
"""

from __future__ import annotations

import json
import pathlib
import re

import numpy as np
import pytest
import yaml

from tests.e2e.first_hour import commands, shell

pytestmark = pytest.mark.e2e

NOT_EXECUTED = {
    "make test": "this is it",
    "make lint": "CI runs it before the tests",
    "make bench": "takes long, and measures rather than checks",
    "make lock": "asks the package index for newer versions",
    "make audit": "asks a database of vulnerabilities",
}

EXECUTED = {
    "make run",
    ".venv/bin/flowersim serve",
    ".venv/bin/flowersim query PHOTO.jpg --k 5",
    ".venv/bin/flowersim run --preset flowers102",
    ".venv/bin/flowersim run --set data.folder=PHOTOS",
    ".venv/bin/flowersim run --set data.dataset=NAME --set data.data_dir=FOLDER",
    ".venv/bin/flowersim runs",
    ".venv/bin/flowersim report",
    ".venv/bin/flowersim compare RUN RUN",
    ".venv/bin/flowersim tensorboard",
    ".venv/bin/flowersim settings --preset flowers102",
    ".venv/bin/flowersim settings --yaml > mine.yaml",
    ".venv/bin/flowersim eval EMBEDDINGS.npz --k 1 5 10 --json RESULT.json",
    ".venv/bin/flowersim eval PHOTOS --model runs/demo/serving/flowers",
    ".venv/bin/flowersim eval FOLDER/roses/1.0.0/test --model runs/demo/serving/flowers",
    ".venv/bin/flowersim index add NEW",
    ".venv/bin/flowersim index list",
    ".venv/bin/flowersim index rebuild",
    ".venv/bin/flowersim index remove fern/1.jpg --purge",
    ".venv/bin/flowersim monitor LOGS",
    ".venv/bin/flowersim monitor LOGS --retrain",
    ".venv/bin/flowersim rollback",
    ".venv/bin/flowersim rollback --release",
    ".venv/bin/flowersim prepare --stage --set deployment.pipeline_root=DEPLOYED",
    ".venv/bin/flowersim compile --set deployment.pipeline_root=DEPLOYED "
    "--set deployment.image=IMAGE --output pipeline.json",
    ".venv/bin/flowersim execute pipeline.json --mode fast",
    ".venv/bin/flowersim run --to Transform",
    ".venv/bin/flowersim run --from Trainer",
    ".venv/bin/flowersim run --no-cache",
}


def test_every_command_is_executed_here_or_there_is_a_reason() -> None:
    assert commands() == EXECUTED | set(NOT_EXECUTED)


def test_embeddings_of_your_own(home: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    np.savez(
        home / "EMBEDDINGS.npz", embeddings=np.eye(3)[labels] + rng.random((30, 3)), labels=labels
    )
    (command,) = (command for command in commands() if " eval EMBEDDINGS" in command)
    assert "30 queries, 30 images searched" in shell(command, home)
    means = json.loads((home / "RESULT.json").read_text("utf-8"))["means"]
    assert {"recall_at_1", "recall_at_5", "recall_at_10"} <= set(means)


def test_settings(home: pathlib.Path) -> None:
    printed = shell(".venv/bin/flowersim settings --preset flowers102", home)
    assert "data.dataset = oxford_flowers102" in printed
    shell(".venv/bin/flowersim settings --yaml > mine.yaml", home)
    assert yaml.safe_load((home / "mine.yaml").read_text("utf-8"))["training"]["epochs"] == 6
    again = shell(".venv/bin/flowersim settings --preset mine.yaml", home)
    assert again == shell(".venv/bin/flowersim settings", home)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("run --set data.folder=PHOTOS", "PHOTOS: 3 classes; "),
        (
            "run --set data.dataset=roses --set data.data_dir=FOLDER",
            "roses: 2 classes; 6 train, 6 validation, 6 test",
        ),
    ],
)
def test_other_data(home: pathlib.Path, command: str, expected: str) -> None:
    printed = shell(f".venv/bin/flowersim {command} --to TfdsExampleGen --workdir runs/other", home)
    assert expected in printed


@pytest.mark.extended
def test_flowers102(home: pathlib.Path, shared_folder: pathlib.Path) -> None:
    printed = shell(
        ".venv/bin/flowersim run --preset flowers102 --to TfdsExampleGen "
        f"--set data.data_dir={shared_folder / 'data' / 'tfds'}",
        home,
    )
    assert "102 classes; 1020 train, 1020 validation, 6149 test" in printed


def test_a_run_without_the_cache(home: pathlib.Path, small: str) -> None:
    printed = shell(f".venv/bin/flowersim run --no-cache {small} --to TfdsExampleGen", home)
    assert re.search(r"TfdsExampleGen +\d+\.\d s", printed)
