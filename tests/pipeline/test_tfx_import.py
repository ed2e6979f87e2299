"""TFX comes without the clients of a cloud, until somebody asks for what needs them."""

from __future__ import annotations

import importlib.util
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
POSTPONED = "tfx.v1.extensions.google_cloud_ai_platform"

# As TFX has it, in both lines.
PACKAGE = {
    "tfx/__init__.py": "",
    "tfx/v1/__init__.py": "from tfx.v1 import extensions\n",
    "tfx/v1/extensions/__init__.py": (
        "from tfx.v1.extensions import google_cloud_ai_platform\n"
        "from tfx.v1.extensions import google_cloud_big_query\n"
    ),
    "tfx/v1/extensions/google_cloud_big_query.py": "",
    "tfx/v1/extensions/google_cloud_ai_platform/__init__.py": (
        "print('imported')\n"
        "from tfx.v1.extensions.google_cloud_ai_platform import experimental\n"
        "Trainer = 'the trainer'\n"
    ),
    "tfx/v1/extensions/google_cloud_ai_platform/experimental.py": "KEY = 'key'\n",
}
CODE = f"""
from pipeline.tfx_import import import_tfx_swiftly
import_tfx_swiftly()
from tfx import v1 as tfx
from tfx.v1.extensions import google_cloud_ai_platform as postponed
print("TFX is there")
print(postponed.Trainer)
from {POSTPONED} import Trainer
print(Trainer, tfx.extensions.google_cloud_ai_platform.experimental.KEY)
"""


def test_it_is_imported_once_when_something_is_asked_of_it(tmp_path: pathlib.Path) -> None:
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    result = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=ROOT,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines() == [
        *("TFX is there", "imported", "the trainer", "the trainer key"),
    ]


def test_tfx_has_it_where_it_is_postponed() -> None:
    pytest.importorskip("tfx")
    found = importlib.util.find_spec("tfx")
    assert found is not None and found.submodule_search_locations is not None
    (folder,) = found.submodule_search_locations
    path = pathlib.Path(folder).parent.joinpath(*POSTPONED.split("."), "__init__.py")
    assert path.is_file()
    above = path.parents[1].joinpath("__init__.py").read_text("utf-8")
    assert "from tfx.v1.extensions import google_cloud_ai_platform\n" in above
