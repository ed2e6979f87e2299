"""The image's Dockerfile, performed without docker, and the compiled pipeline run in what it makes.

Needs root and debootstrap, downloads 1 GB and takes a quarter of an hour. FLOWERSIM_TEST_ROOTS
names a folder in which the built stages are kept for the next time.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence

import pytest

from tests.deploy import docker_stand_in
from tests.deploy.debian_root import ROOT, build, inside
from tests.deploy.dockerfile import Stage

pytestmark = [
    pytest.mark.extended,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root"),
    pytest.mark.skipif(shutil.which("debootstrap") is None, reason="needs debootstrap"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[pathlib.Path, Stage]]:
    kept = os.environ.get("FLOWERSIM_TEST_ROOTS")
    folder = pathlib.Path(kept) if kept else tmp_path_factory.mktemp("roots")
    # Code is built anew, what takes long is not.
    for name in ("project", "steps"):
        shutil.rmtree(folder / name, ignore_errors=True)
    stage = build(folder, "steps")
    yield folder / "steps", stage
    if not kept:
        shutil.rmtree(folder)


def _run(built: tuple[pathlib.Path, Stage], words: Sequence[str]) -> str:
    root, stage = built
    command = inside(
        root, words, user=stage.user, folder=stage.folder, environment=stage.environment
    )
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_it_is_somebody_who_may_write_nothing_of_it(built: tuple[pathlib.Path, Stage]):
    assert _run(built, ["id", "-u"]).strip() == "10001"
    # Folders that it may not even read give find an error.
    script = "find /opt /usr /etc -writable -not -type l 2>/dev/null; true"
    assert _run(built, ["sh", "-c", script]) == ""
    assert _run(built, ["sh", "-c", "touch here && pwd"]).strip() == "/home/flowersim"


def test_it_has_no_tools_of_the_build(built: tuple[pathlib.Path, Stage]):
    script = "for name in gcc cc g++ make pip uv pytest mypy; do command -v $name; done; true"
    assert _run(built, ["sh", "-c", script]) == ""
    root, _ = built
    assert not list((root / "var/lib/apt/lists").glob("*_Packages*"))
    assert not (root / "src").exists() and not (root / "root/.cache").exists()


def test_its_packages_are_the_locked_ones(built: tuple[pathlib.Path, Stage]):
    code = (
        "import importlib.metadata as m\n"
        "for d in m.distributions(): print(d.metadata['Name'] + '==' + d.version)"
    )
    there = {_normal(line) for line in _run(built, ["python", "-c", code]).splitlines()}
    locked = set()
    for name in ("tfx-1.16-py311.image.lock", "tfx-1.16-py311.nodeps.lock"):
        lines = (ROOT / "requirements" / name).read_text("utf-8").splitlines()
        locked |= {_normal(line) for line in lines if not line.startswith("#")}
    assert {line for line in there if not line.startswith("flowersim==")} == locked


def _normal(pin: str) -> str:
    name, _, version = pin.partition("==")
    return f"{re.sub(r'[-_.]+', '-', name.partition('[')[0]).lower()}=={version}"


def test_its_bytecode_is_compiled(built: tuple[pathlib.Path, Stage]):
    root, _ = built
    packages = root / "opt/venv/lib/python3.11/site-packages"
    for name in ("tensorflow/__init__", "tfx/v1/__init__", "pipeline/cli"):
        folder, _, stem = name.rpartition("/")
        assert (packages / folder / "__pycache__" / f"{stem}.cpython-311.pyc").exists(), name


def test_the_entry_point_is_there(built: tuple[pathlib.Path, Stage]):
    _, stage = built
    assert "--executor_class_path" in _run(built, [*stage.entrypoint, "--help"])


def test_the_compiled_pipeline_runs_in_it(
    built: tuple[pathlib.Path, Stage], tmp_path: pathlib.Path
):
    root, stage = built
    environment = os.environ | docker_stand_in.install(tmp_path, root, stage)
    # The image's user must reach what is mounted.
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    result = subprocess.run(
        ["bash", ROOT / "deploy" / "check_image.sh", "flowersim:test"],
        env=environment | {"TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        timeout=3000,
    )
    assert result.returncode == 0, result.stdout + result.stderr
