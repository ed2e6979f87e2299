"""CI and releases: what GitHub and Cloud Build are told, and the commands in it.

Neither service can be reached by a test: the files are checked against what their formats ask for,
against what flowersim's own parser takes, and against each other.
"""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest
import yaml

from tests.deploy.debian_root import ROOT
from tests.deploy.dockerfile import read
from tests.deploy.flowersim_commands import commands, parse

WORKFLOWS = ROOT / ".github" / "workflows"
CLOUD_BUILD = ROOT / "cloudbuild.yaml"
CHECK = ROOT / "deploy" / "check_image.sh"
NAMES = ("ci.yml", "release.yml")


def _workflow(name: str) -> dict[str, Any]:
    # YAML reads the key `on` as true.
    text = (WORKFLOWS / name).read_text("utf-8")
    return {"on" if key is True else key: value for key, value in yaml.safe_load(text).items()}


def _steps(name: str) -> list[dict[str, Any]]:
    return [step for job in _workflow(name)["jobs"].values() for step in job["steps"]]


def _scripts() -> dict[str, str]:
    scripts = {"check_image.sh": CHECK.read_text("utf-8")}
    for name in NAMES:
        scripts[name] = "\n".join(step["run"] for step in _steps(name) if "run" in step)
    build = yaml.safe_load(CLOUD_BUILD.read_text("utf-8"))
    scripts["cloudbuild.yaml"] = "\n".join(arg for step in build["steps"] for arg in step["args"])
    return scripts


def test_these_are_all_workflows():
    assert sorted(path.name for path in WORKFLOWS.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_jobs_are_complete_and_bounded(name: str):
    workflow = _workflow(name)
    assert set(workflow) == {"name", "on", "permissions", "concurrency", "jobs"}
    jobs = workflow["jobs"]
    for key, job in jobs.items():
        assert re.fullmatch(r"ubuntu-\d\d\.\d\d", job["runs-on"]), key
        assert 0 < job["timeout-minutes"] <= 360, key
        needs = job.get("needs", [])
        assert set([needs] if isinstance(needs, str) else needs) <= set(jobs), key
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), step
            assert set(step) <= {"id", "name", "uses", "run", "with", "if", "env"}, step


@pytest.mark.parametrize("name", NAMES)
def test_actions_are_pinned_and_the_same_everywhere(name: str):
    used = [step["uses"] for step in _steps(name) if "uses" in step]
    assert used
    for action in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@(v\d+(\.\d+)*|[0-9a-f]{40})", action), action
    everywhere = {step["uses"] for other in NAMES for step in _steps(other) if "uses" in step}
    assert len({action.partition("@")[0] for action in everywhere}) == len(everywhere)
    for step in _steps(name):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("name", NAMES)
def test_jobs_may_do_no_more_than_they_must(name: str):
    workflow = _workflow(name)
    assert workflow["permissions"] == {"contents": "read"}
    for key, job in workflow["jobs"].items():
        speaks_to_google = any("google-github-actions/auth@" in str(step) for step in job["steps"])
        expected = {"contents": "read", "id-token": "write"} if speaks_to_google else None
        assert job.get("permissions") == expected, key


def test_pull_requests_get_no_account():
    assert "pull_request" in _workflow("ci.yml")["on"]
    assert "pull_request_target" not in str(_workflow("ci.yml"))
    assert "google" not in (WORKFLOWS / "ci.yml").read_text("utf-8").lower().replace(
        "google cloud", ""
    )
    assert _workflow("release.yml")["on"] == {"push": {"tags": ["v*"]}}


@pytest.mark.parametrize("name", NAMES)
def test_scripts_get_what_others_name_as_variables_only(name: str):
    """A tag or branch can be named like a command: `${{ }}` in a script would run it."""
    for step in _steps(name):
        assert "${{" not in step.get("run", ""), step


def test_keys_and_tokens_are_nowhere():
    for path in (*(WORKFLOWS / name for name in NAMES), CLOUD_BUILD):
        text = path.read_text("utf-8")
        assert "secrets." not in text and "credentials_json" not in text, path


def test_steps_that_are_named_are_there():
    text = (WORKFLOWS / "release.yml").read_text("utf-8")
    for job in _workflow("release.yml")["jobs"].values():
        ids = {step["id"] for step in job["steps"] if "id" in step}
        assert set(re.findall(r"steps\.(\w+)\.outputs", str(job))) <= ids
    assert re.findall(r"steps\.(\w+)\.outputs\.(\w+)", text)


@pytest.mark.parametrize("name", ["check_image.sh", "release.yml", "cloudbuild.yaml"])
def test_commands_are_commands_of_flowersim(name: str):
    found = [parse(_filled(arguments)) for arguments in commands(_scripts()[name])]
    names = [str(options.command.__name__).strip("_") for options in found]
    third = "execute" if name == "check_image.sh" else "submit"
    assert names == ["prepare", "compile", third]


def _filled(arguments: list[str]) -> list[str]:
    """check_image.sh's arrays, as the shell would fill them in."""
    text = CHECK.read_text("utf-8")
    arrays = {
        "${settings[@]}": re.search(r"settings=\(\n(.*?)\n\)", text, re.DOTALL),
        "${where[@]}": re.search(r"where=\((--.*)\)", text),
    }
    filled: list[str] = []
    for word in arguments:
        match = arrays.get(word)
        filled += match[1].replace('"', "").split() if match else [word]
    return filled


@pytest.mark.parametrize("name", ["check_image.sh", "release.yml", "cloudbuild.yaml"])
def test_settings_are_settings(name: str):
    from pipeline.settings_loader import load_settings

    # What the platform fills in, as it might.
    values = {
        "image": "registry.example/flowersim:1",
        "pipeline_root": "gs://bucket/flowersim",
        "project": "a-project",
        "region": "europe-west4",
        "service_account": "runner@a-project.iam.gserviceaccount.com",
    }
    seen = 0
    for arguments in commands(_scripts()[name]):
        options = parse(_filled(arguments))
        pairs = [pair.partition("=") for pair in getattr(options, "overrides", [])]
        overrides = []
        for key, _, value in pairs:
            short = key.removeprefix("deployment.")
            overrides.append(f"{key}={values[short] if '$' in value else value}")
        if overrides:
            load_settings("demo", overrides)
            seen += len(overrides)
    assert seen >= 6


def test_a_wrong_command_would_be_found():
    (arguments,) = commands('  "$flowersim" compile --out x \\\n    --platform vertex\n')
    with pytest.raises(SystemExit):
        parse([*arguments, "--no-such-option"])


def test_all_targets_are_built_under_the_names_that_are_used():
    targets = set(read(ROOT / "deploy" / "image" / "Dockerfile"))
    matrix = _workflow("release.yml")["jobs"]["images"]["strategy"]["matrix"]["target"]
    cloud = re.search(r"for target in ([\w ]+);", _scripts()["cloudbuild.yaml"])
    assert cloud is not None and cloud[1].split() == matrix
    assert set(matrix) == {"steps", "gpu", "dataflow"} <= targets


def test_build_arguments_are_those_of_the_dockerfile():
    known = set(read(ROOT / "deploy" / "image" / "Dockerfile")["steps"].build_arguments)
    (build,) = [s for s in _steps("release.yml") if "build-push-action" in s.get("uses", "")]
    given = {line.partition("=")[0] for line in build["with"]["build-args"].splitlines()}
    cloud = set(re.findall(r'--build-arg "(\w+)=', _scripts()["cloudbuild.yaml"]))
    assert given == cloud == known


def test_cloud_build_knows_its_substitutions():
    build = yaml.safe_load(CLOUD_BUILD.read_text("utf-8"))
    text = CLOUD_BUILD.read_text("utf-8")
    # $$ is a dollar for the shell; all else must be known to Cloud Build.
    used = set(re.findall(r"(?<!\$)\$\{?(\w+)", text))
    builtin = {"PROJECT_ID", "COMMIT_SHA", "TAG_NAME"}
    assert used - builtin == set(build["substitutions"])
    ids = [step["id"] for step in build["steps"]]
    assert ids == ["test", "images", "check", "submit"]
    for step in build["steps"]:
        assert set(step) <= {"id", "name", "entrypoint", "env", "args"}, step


def test_no_script_of_the_place_is_named_that_is_not_there():
    for name, script in _scripts().items():
        for path in re.findall(r"(?<![\w/$.-])(deploy/[\w/.-]+\w)", script):
            assert pathlib.Path(ROOT, path).exists(), f"{name}: {path}"
