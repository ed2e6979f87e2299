"""The image's Dockerfile, as far as reading it tells; `test_image_in_a_root.py` performs it."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess

import pytest
from packaging.requirements import Requirement

from tests.deploy.debian_root import DOCKERFILE, ROOT
from tests.deploy.dockerfile import Copy, Stage, read

ENTRY = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"
LOCKS = ROOT / "requirements"


@pytest.fixture(scope="module")
def stages() -> dict[str, Stage]:
    return read(DOCKERFILE)


def _pins(name: str) -> dict[str, str]:
    lines = (LOCKS / name).read_text("utf-8").splitlines()
    pairs = (line.partition("==") for line in lines if not line.startswith("#"))
    return {name.partition("[")[0]: version for name, _, version in pairs}


def _copies(stage: Stage) -> list[Copy]:
    return [what for _, what, _, _ in stage.steps if isinstance(what, Copy)]


def _commands(stage: Stage) -> str:
    return "\n".join(what for _, what, _, _ in stage.steps if isinstance(what, str))


def test_what_is_copied_is_there(stages: dict[str, Stage]):
    copied = 0
    for stage in stages.values():
        for copy in _copies(stage):
            for source in copy.sources:
                if copy.stage is None:
                    assert (ROOT / source).exists(), source
                    copied += 1
                else:
                    assert copy.stage in stages
    assert copied >= 10


def test_the_context_has_what_is_copied_and_nothing_else(stages: dict[str, Stage]):
    lines = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    # All is left out, then some is let in again: data, runs, environments and .git never are.
    assert rules[0] == "*" and rules[-1] == "**/__pycache__"
    let_in = {rule.removeprefix("!") for rule in rules[1:-1]}
    assert all(rule.startswith("!") for rule in rules[1:-1])
    copied = {
        source.rstrip("/")
        for stage in stages.values()
        for copy in _copies(stage)
        if copy.stage is None
        for source in copy.sources
    }
    assert let_in == copied


def test_all_of_the_project_is_copied(stages: dict[str, Stage]):
    rooms = re.search(r"ROOMS = (\[.*\])", (ROOT / "setup.py").read_text("utf-8"))
    assert rooms is not None
    sources = {source for copy in _copies(stages["project"]) for source in copy.sources}
    assert {f"{room}/" for room in json.loads(rooms[1])} <= sources


def test_bases_are_pinned_and_beam_is_the_locked_one(stages: dict[str, Stage]):
    bases = {stage.base for stage in stages.values()} - set(stages)
    assert len(bases) == 2
    for base in bases:
        tag = base.partition(":")[2]
        assert tag and tag != "latest"
    assert stages["beam"].base.endswith(f":{_pins('tfx-1.16-py311.image.lock')['apache-beam']}")
    assert "python3.11" in stages["beam"].base


@pytest.mark.parametrize("name", ["steps", "gpu"])
def test_steps_run_as_nobody_in_particular(stages: dict[str, Stage], name: str):
    stage = stages[name]
    # Kubernetes's runAsNonRoot needs a number.
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", stage.user)
    assert f"useradd --uid {stage.user.partition(':')[0]} " in _commands(stages["base"])
    assert stage.environment["PATH"].split(":").index("/opt/venv/bin") <= 1
    assert stage.environment["PYTHONUNBUFFERED"] == "1"
    assert stage.entrypoint == ["python", "-m", ENTRY]


def test_the_last_stage_is_the_steps(stages: dict[str, Stage]):
    last = list(stages.values())[-1]
    assert last.base == "steps" and not last.steps


def test_the_entry_point_is_what_compiled_steps_call():
    golden = ROOT / "tests" / "pipeline" / "deployment" / "golden" / "vertex.json"
    spec = json.loads(golden.read_text("utf-8"))["pipelineSpec"]
    commands = [
        executor["container"]["command"]
        for executor in spec["deploymentSpec"]["executors"].values()
        if "container" in executor
    ]
    assert len(commands) >= 10
    assert all(command == ["python", "-m", ENTRY] for command in commands)


def test_dataflow_gets_its_launcher_and_our_python(stages: dict[str, Stage]):
    stage = stages["dataflow"]
    assert stage.base == "steps" and stage.entrypoint == ["/opt/apache/beam/boot"]
    # Otherwise the launcher makes an environment of its own, without our packages.
    assert stage.environment["RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT"] == "1"
    assert Copy(("/opt/apache/beam",), "/opt/apache/beam", "beam") in _copies(stage)


def test_labels(stages: dict[str, Stage]):
    arguments = {"SOURCE": "https://example.org/x", "REVISION": "abc", "VERSION": "1.2.3"}
    for name in ("steps", "gpu", "dataflow"):
        labels = read(DOCKERFILE, arguments)[name].labels
        assert labels["org.opencontainers.image.source"] == "https://example.org/x"
        assert labels["org.opencontainers.image.revision"] == "abc"
        assert labels["org.opencontainers.image.version"] == "1.2.3"
        assert labels["org.opencontainers.image.licenses"] == "MIT"


def test_no_tool_of_the_build_is_in_what_is_shipped(stages: dict[str, Stage]):
    for name in ("base", "steps", "gpu", "dataflow"):
        text = _commands(stages[name])
        assert not re.search(r"\b(pip|uv|gcc|g\+\+|build-essential|curl|wget)\b", text), name
        assert text.count("apt-get update") == text.count("rm -rf /var/lib/apt/lists/*")


def test_the_lock_is_the_developers_without_their_tools():
    image, full = _pins("tfx-1.16-py311.image.lock"), _pins("tfx-1.16-py311.lock")
    assert image.items() <= full.items()
    assert not {"pytest", "mypy", "ruff", "jax", "playwright", "hypothesis"} & set(image)
    assert {"tensorflow", "apache-beam", "kfp-pipeline-spec", "setuptools"} <= set(image)
    assert "tfx" in _pins("tfx-1.16-py311.nodeps.lock")


def test_the_image_lock_has_all_that_its_packages_ask_for():
    """As their own metadata in this environment says, which has the same versions."""
    import importlib.metadata

    pins = _pins("tfx-1.16-py311.image.lock")
    if importlib.metadata.version("tensorflow") != pins["tensorflow"]:
        pytest.skip("another TFX line is installed")
    names = {name.lower().replace("_", "-") for name in pins}
    for name in names:
        for line in importlib.metadata.requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                wanted = re.sub(r"[-_.]+", "-", requirement.name).lower()
                assert wanted in names, f"{name} needs {wanted}"


def test_the_gpu_lock_is_what_tensorflow_asks_for():
    import importlib.metadata

    pins = _pins("tfx-1.16-py311.gpu.lock")
    if importlib.metadata.version("tensorflow") != _pins("tfx-1.16-py311.image.lock")["tensorflow"]:
        pytest.skip("another TFX line is installed")
    wanted = {}
    for line in importlib.metadata.requires("tensorflow") or []:
        requirement = Requirement(line)
        if requirement.marker and "extra" in str(requirement.marker):
            (specifier,) = requirement.specifier
            wanted[requirement.name] = specifier.version
    assert pins == wanted


def test_the_gpu_image_finds_every_library(stages: dict[str, Stage]):
    path = stages["gpu"].environment["LD_LIBRARY_PATH"]
    packages = {
        name.removeprefix("nvidia-").removesuffix("-cu12").replace("-", "_")
        for name in _pins("tfx-1.16-py311.gpu.lock")
    } - {"cuda_nvcc"}
    found = re.findall(r"/opt/venv/lib/python3\.11/site-packages/nvidia/(\w+)/lib", path)
    assert set(found) == packages


def test_the_image_is_installed_by_the_script_that_makes_the_environment(stages: dict[str, Stage]):
    assert "requirements/install.sh" in _commands(stages["packages"])
    assert "requirements/install.sh" in (LOCKS / "bootstrap.sh").read_text("utf-8")


def test_install_syncs_the_lock_then_adds_what_declares_an_older_python(tmp_path: pathlib.Path):
    log = tmp_path / "log"
    uv = tmp_path / "uv"
    uv.write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    uv.chmod(0o755)
    script = LOCKS / "install.sh"
    for lock in ("tfx-1.16-py311.image.lock", "tfx-1.16-py310.lock"):
        subprocess.run(["bash", script, "/env/python", LOCKS / lock, uv, "--quiet"], check=True)
    first, second, third = log.read_text("utf-8").splitlines()
    assert first == f"--quiet pip sync --python /env/python {LOCKS}/tfx-1.16-py311.image.lock"
    assert "--python-version 3.10 --no-deps" in second and second.endswith("nodeps.lock")
    assert third.endswith("tfx-1.16-py310.lock")


def test_the_reader_refuses_what_it_does_not_know(tmp_path: pathlib.Path):
    path = tmp_path / "Dockerfile"
    path.write_text("FROM debian:bookworm-slim\nADD https://example.org/x /x\n")
    with pytest.raises(ValueError, match="ADD is not known"):
        read(path)
    path.write_text("FROM ${NOTHING}\n")
    with pytest.raises(ValueError, match="NOTHING is not set"):
        read(path)


def test_the_reader_fills_in_variables(tmp_path: pathlib.Path):
    path = tmp_path / "Dockerfile"
    path.write_text(
        "ARG TAG=1\nFROM a:${TAG} AS one\nENV A=x B=$A_NOT\n".replace("$A_NOT", "y")
        + "RUN one \\\n    # a comment\n    && two\nFROM one AS two\nENV A=${A}:z\n"
        + "COPY --from=one a b /c/\n"
    )
    stages = read(path, {"TAG": "2"})
    assert stages["one"].base == "a:2"
    assert stages["one"].steps[0][1].split() == ["one", "&&", "two"]  # type: ignore[union-attr]
    assert stages["two"].environment == {"A": "x:z", "B": "y"}
    assert _copies(stages["two"]) == [Copy(("a", "b"), "/c/", "one")]
