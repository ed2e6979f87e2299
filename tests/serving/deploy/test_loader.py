"""The script that puts a version on a cluster's volume, with a kubectl that has no cluster.

Its `exec` runs the pod's command here, with a folder in place of the volume.
"""

from __future__ import annotations

import pathlib
import shlex
import subprocess

import pytest

from tests.serving.deploy.deploy_files import DEPLOY

SCRIPT = DEPLOY / "kubernetes" / "loader" / "load_version.sh"

KUBECTL = """#!/usr/bin/env bash
echo "$*" | head -1 >> {log}
command=()
while [ $# -gt 0 ]; do
  case $1 in
    --namespace) shift 2 ;;
    exec)
      [ "$2 $3 $4" = "-i flowersim-loader --" ] || exit 9
      shift 4
      {before}
      exec "${{@//\\/models/{volume}}}"
      ;;
    *) exit 0 ;;
  esac
done
"""


@pytest.fixture
def volume(tmp_path) -> pathlib.Path:
    folder = tmp_path / "volume"
    folder.mkdir()
    return folder


@pytest.fixture
def load(tmp_path, volume):
    """Runs the script; `before` is what the pod's shell meets before it."""

    def run(folder: pathlib.Path, *options: str, before: str = ""):
        programs = tmp_path / "bin"
        programs.mkdir(exist_ok=True)
        kubectl = programs / "kubectl"
        escaped = str(volume).replace("/", "\\/")
        kubectl.write_text(KUBECTL.format(log=tmp_path / "log", volume=escaped, before=before))
        kubectl.chmod(0o755)
        return subprocess.run(
            ["bash", str(SCRIPT), str(folder), *options],
            env={"PATH": f"{programs}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture
def version(tmp_path) -> pathlib.Path:
    folder = tmp_path / "a run" / "serving" / "flowers" / "1795523810"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


def test_it_arrives_whole_and_the_pod_goes(load, version, volume, tmp_path):
    result = load(version, "--namespace", "search")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "version 1795523810 of flowers is on the volume\n"
    files = {p.relative_to(volume).as_posix() for p in volume.rglob("*") if p.is_file()}
    base = "flowers/1795523810"
    assert files == {f"{base}/saved_model.pb", f"{base}/variables/variables.index"}
    assert not (volume / "flowers" / ".incoming").exists()
    calls = (tmp_path / "log").read_text().splitlines()
    assert all(call.startswith("--namespace search ") for call in calls)
    assert [call.split()[2] for call in calls] == ["apply", "wait", "exec", "delete"]


def test_half_a_version_is_not_shown(load, version, volume, tmp_path):
    # What arrives is the archive without its last file.
    base = shlex.quote(str(version.parent))
    cut = f"exec < <(tar -C {base} -cf - --exclude=variables.index {version.name})"
    result = load(version, before=cut)
    assert result.returncode != 0 and "did not arrive whole" in result.stderr
    assert not (volume / "flowers" / version.name).exists()
    assert " delete " in f" {(tmp_path / 'log').read_text().splitlines()[-1]} "


def test_a_version_is_not_replaced(load, version, volume):
    assert load(version).returncode == 0
    (version / "saved_model.pb").write_bytes(b"another graph")
    result = load(version)
    assert result.returncode != 0 and "is there already" in result.stderr
    there = volume / "flowers" / version.name / "saved_model.pb"
    assert there.read_bytes() == b"graph"


def test_what_is_no_version_is_refused_before_anything_is_done(load, version, tmp_path):
    for folder in (version.parent, version / "variables"):
        result = load(folder)
        assert result.returncode == 2 and "is no pushed version" in result.stderr
    assert not (tmp_path / "log").exists()
