"""What setup.py declares against what the lock files pin and what TFX itself asks for."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import pathlib
import re
import sys
from typing import Any

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Each lock with its Python version.
LOCKS = {
    "tfx-1.16-py311.lock": "3.11",
    "tfx-1.16-py310.lock": "3.10",
    "tfx-1.21-py312.lock": "3.12",
    "tfx-1.21-py313.lock": "3.13",
}


@pytest.fixture(scope="module")
def declared() -> dict[str, Any]:
    """The arguments that setup.py calls `setup` with."""
    captured: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", lambda **arguments: captured.update(arguments))
        patch.chdir(ROOT)
        spec = importlib.util.spec_from_file_location("setup_of_flowersim", ROOT / "setup.py")
        assert spec is not None and spec.loader is not None
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return captured


def _pins(*names: str) -> dict[str, Version]:
    pins: dict[str, Version] = {}
    for name in names:
        for line in (ROOT / "requirements" / name).read_text("utf-8").splitlines():
            match = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+?)(?:\s*[;#].*)?", line)
            if match:
                pins[canonicalize_name(match[1])] = Version(match[2])
            else:
                assert not line or line.startswith("#"), f"{name}: {line!r} is no pin"
    return pins


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_lies_within_the_declared_ranges(lock: str, declared: dict[str, Any]):
    python = LOCKS[lock]
    more = ["tfx-1.16-py311.nodeps.lock"] if lock == "tfx-1.16-py311.lock" else []
    pins = _pins(lock, *more)
    extras = declared["extras_require"]
    requirements = [*declared["install_requires"], *extras["dev"], *extras["kfp"]]
    checked = 0
    for requirement in map(Requirement, requirements):
        environment = {"python_version": python, "python_full_version": f"{python}.0"}
        if requirement.marker is None or requirement.marker.evaluate(environment):
            pinned = pins[canonicalize_name(requirement.name)]
            assert pinned in requirement.specifier, f"{requirement} against {pinned}"
            checked += 1
    assert checked >= 30


@pytest.mark.parametrize("lock", LOCKS)
def test_the_declared_python_range_has_the_lock(lock: str, declared: dict[str, Any]):
    python = declared["python_requires"]
    assert Version(LOCKS[lock]) in Requirement(f"flowersim{python}").specifier


def test_every_requirement_has_an_upper_bound_or_a_pin(declared: dict[str, Any]):
    groups = [declared["install_requires"], *declared["extras_require"].values()]
    for requirement in (Requirement(line) for group in groups for line in group):
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators & {"<", "<=", "==", "~="}, str(requirement)


def _of_tfx_1_16() -> set[Requirement]:
    """What the installed TFX and its SDK ask for, without extras and each other."""
    found = set()
    for package in ("tfx", "ml-pipelines-sdk"):
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{package} is not installed")
        if version != "1.16.0":
            pytest.skip(f"{package} {version} is installed, the file is that of 1.16.0")
        for line in importlib.metadata.requires(package) or []:
            requirement = Requirement(line)
            if requirement.name in ("tfx", "ml-pipelines-sdk"):
                continue
            if requirement.marker is None or requirement.marker.evaluate(
                {"python_version": "3.11", "extra": ""}
            ):
                requirement.marker = None
                found.add(requirement)
    return found


def test_the_input_for_python_311_is_what_tfx_declares():
    path = ROOT / "requirements" / "tfx-1.16-py311.in"
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    here = {Requirement(line) for line in lines if line}
    declared = _of_tfx_1_16()
    assert here == declared
    assert len(declared) > 25


def test_the_installed_packages_are_those_of_one_lock():
    """Unless somebody installed by other means, `make setup` left exactly its lock."""
    stamp = pathlib.Path(sys.prefix) / "flowersim.stamp"
    if not stamp.is_file():
        pytest.skip("this environment was not made by `make setup`")
    lock = stamp.read_text("utf-8").splitlines()[2].removeprefix("requirements/")
    more = ["tfx-1.16-py311.nodeps.lock"] if lock == "tfx-1.16-py311.lock" else []
    wrong = {
        name: (str(version), importlib.metadata.version(name))
        for name, version in _pins(lock, *more).items()
        if Version(importlib.metadata.version(name)) != version
    }
    assert not wrong


def test_the_console_script_and_the_rooms_are_declared(declared: dict[str, Any]):
    assert declared["entry_points"] == {"console_scripts": ["flowersim = pipeline.cli:main"]}
    rooms = {"pipeline", "components", "trainer_module", "retrieval", "serving"}
    assert {name.split(".")[0] for name in declared["packages"]} == rooms
    folders = {path.parent for room in rooms for path in (ROOT / room).rglob("__init__.py")}
    packages = {str(folder.relative_to(ROOT)).replace("/", ".") for folder in folders}
    assert set(declared["packages"]) == packages


def test_data_files_travel_with_the_packages(declared: dict[str, Any]):
    patterns = declared["package_data"]
    for package, file in (
        ("pipeline", "presets/demo.yaml"),
        ("components", "example_schema/schema.pbtxt"),
        ("serving", "page/index.html"),
        ("serving", "page/page.js"),
    ):
        matching = [
            path.relative_to(ROOT / package).as_posix()
            for pattern in patterns[package]
            for path in (ROOT / package).glob(pattern)
        ]
        assert file in matching


def test_tools_are_set_for_the_oldest_python(declared: dict[str, Any]):
    oldest = re.match(r">=3\.(\d+)", declared["python_requires"])
    assert oldest is not None
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert f'\ntarget-version = "py3{oldest[1]}"\n' in text
