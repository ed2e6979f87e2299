"""flowersim as a wheel, in an environment that knows the locked packages and not the checkout."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
ROOMS = ("pipeline", "components", "trainer_module", "retrieval", "serving")


def build_wheel(scratch: pathlib.Path) -> pathlib.Path:
    """Builds it from a copy, since setuptools writes beside what it builds.

    Args:
        scratch: An empty folder.

    Returns:
        The wheel's file. Beside it is `source`, the copy.
    """
    pytest.importorskip("setuptools.build_meta", reason="the environment cannot build wheels")
    source = scratch / "source"
    source.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for room in ROOMS:
        # With what Python leaves behind, as in a checkout that was worked in; without the file of
        # metrics that a user may have written there, and git ignores.
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("*.prom"))
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])",
            str(scratch),
        ],
        cwd=source,
        check=True,
        capture_output=True,
        text=True,
    )
    (wheel,) = scratch.glob("*.whl")
    return wheel


def install(wheel: pathlib.Path, environment: pathlib.Path) -> None:
    """Makes an environment of the locked packages and the wheel, by uv and without the network."""
    uv = _uv()
    quiet = [uv, "--quiet", "--offline", "--no-config"]
    subprocess.run([*quiet, "venv", "--python", sys.executable, environment], check=True)
    subprocess.run(
        [*quiet, "pip", "install", "--no-deps", "--python", environment / "bin/python", wheel],
        check=True,
    )
    # A folder that a .pth file names is searched, but its own .pth files, by which the checkout
    # is found, are not read.
    packages = sysconfig.get_paths(vars={"base": str(environment)})["purelib"]
    locked = sysconfig.get_paths()["purelib"]
    (pathlib.Path(packages) / "locked.pth").write_text(f"{locked}\n")


def _uv() -> str:
    private = [ROOT / ".uv/bin/uv", pathlib.Path("~/.local/bin/uv").expanduser()]
    found = shutil.which("uv") or next((str(path) for path in private if path.is_file()), None)
    if found is None:
        pytest.skip("needs uv, which make setup brings")
    return found


def call(
    environment: pathlib.Path, program: str, *arguments: str, cwd: pathlib.Path
) -> subprocess.CompletedProcess[str]:
    """Runs a program of the environment in a folder that is not the checkout."""
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [str(environment / "bin" / program), *arguments],
        cwd=cwd,
        env={**variables, "COLUMNS": "100", "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
    )
