"""The command `flowersim execute`, on small pipelines of shell commands."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable

import pytest

from pipeline.cli import main
from pipeline.commands.execute_command import preloaded_modules
from pipeline.spec_executor.loader import parse_spec
from tests.pipeline.spec_executor.specs import In, Spec
from tests.serving import fake_docker

Command = Callable[..., int]


@pytest.fixture
def spec() -> Spec:
    """One task that says a word, and fails for the word no."""
    made = Spec(parameters={"word": {"parameterType": "STRING", "defaultValue": "yes"}})
    script = 'echo "$1" > "$2"; test "$1" != no'
    made.shell("say", script, "{{$.inputs.parameters['word']}}",
               "{{$.outputs.artifacts['said'].path}}",
               parameters={"word": "STRING"}, makes=["said"])  # fmt: skip
    made.task("say", parameters={"word": In("word")})
    return made


@pytest.fixture
def execute(spec: Spec, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Gives `execute(*options)`: the exit status of the command in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*options: str) -> int:
        return main(["execute", str(spec.write(tmp_path)), *options])

    return run


def results(folder: pathlib.Path) -> list[dict]:
    files = sorted(folder.glob("runs/*/result.json"), key=lambda file: file.stat().st_mtime_ns)
    return [json.loads(file.read_text()) for file in files]


def test_where_things_lie(
    execute: Command, tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
):
    assert execute() == 0
    (result,) = results(tmp_path / "runs/execute")
    printed = capfd.readouterr().err
    assert printed.startswith(f"toy: {tmp_path}/spec.json\n")
    for place in ("artifacts  ", "logs       ", "result     "):
        (line,) = (line for line in printed.splitlines() if line.startswith(place))
        assert pathlib.Path(line.split()[1]).exists()
    artifacts = tmp_path / "runs/execute/artifacts" / result["id"]
    assert f"artifacts  {artifacts}\n" in printed
    assert (artifacts / "say-1" / "said").read_text() == "yes\n"
    assert execute() == 0
    assert results(tmp_path / "runs/execute")[1]["tasks"][0]["cached"]
    assert execute("--no-cache") == 0
    assert not results(tmp_path / "runs/execute")[2]["tasks"][0]["cached"]


def test_its_options_change_the_run(execute: Command, tmp_path: pathlib.Path):
    assert execute("--parameter", "word=hello", "--store", "S", "--pipeline-root", "R") == 0
    (result,) = results(tmp_path / "S")
    assert result["parameters"] == {"word": "hello"}
    assert result["root"] == str(tmp_path / "R")
    assert (tmp_path / "R" / result["id"] / "say-1" / "said").read_text() == "hello\n"


def test_a_failure_is_status_1(execute: Command, capfd: pytest.CaptureFixture[str]):
    assert execute("--parameter", "word=no") == 1
    printed = capfd.readouterr().err
    assert "exit status 1" in printed and "\nfailed after" in printed


def test_the_specs_own_root_counts_if_it_is_on_this_machine(
    execute: Command, spec: Spec, tmp_path: pathlib.Path
):
    spec.document["defaultPipelineRoot"] = str(tmp_path / "own")
    assert execute("--store", "one") == 0
    spec.document["defaultPipelineRoot"] = "gs://bucket/own"
    assert execute("--store", "two") == 0
    roots = [results(tmp_path / store)[0]["root"] for store in ("one", "two")]
    assert roots == [str(tmp_path / "own"), str(tmp_path / "two" / "artifacts")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--parameter", "word"], "--parameter word is not of the form NAME=VALUE"),
        (["--parameter", "x=1"], "has no such parameter; it has word (text)"),
        (["--docker", "--mode", "fast"], "--mode fast and --docker exclude each other"),
        (["--mount", "."], "--mount is for --docker"),
    ],
)
def test_wrong_usage_runs_nothing(
    execute: Command,
    tmp_path: pathlib.Path,
    capfd: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
):
    assert execute(*options) == 1
    printed = capfd.readouterr().err
    assert printed.startswith("flowersim: ") or "\nflowersim: " in printed
    assert message in printed
    assert not (tmp_path / "runs").exists()


def test_resume_goes_on_where_the_spec_allows_no_cache(
    execute: Command, spec: Spec, tmp_path: pathlib.Path
):
    spec.shell("then", f"test -e {tmp_path}/ready")
    spec.task("then", after=["say"])
    spec.tasks["say"]["cachingOptions"] = {}
    assert execute() == 1
    (tmp_path / "ready").touch()
    assert execute("--resume") == 0
    cached = [[task["cached"] for task in r["tasks"]] for r in results(tmp_path / "runs/execute")]
    assert cached == [[False, False], [True, False]]


def test_the_fast_mode_forks(execute: Command, spec: Spec, tmp_path: pathlib.Path):
    """A fork of the process that starts tasks has what that process has imported."""
    (tmp_path / "program.py").write_text(
        "import sys; print('pipeline.spec_executor' in sys.modules)\n"
    )
    spec.executor("say", {"container": {"image": "x", "command": ["python", "-m", "program"]}},
                  parameters={"word": "STRING"})  # fmt: skip
    assert execute("--no-cache") == execute("--no-cache", "--mode", "fast") == 0
    logs = [result["tasks"][0]["log"] for result in results(tmp_path / "runs/execute")]
    assert [pathlib.Path(log).read_text() for log in logs] == ["False\n", "True\n"]


def test_as_many_jobs_as_asked_for(execute: Command, spec: Spec, tmp_path: pathlib.Path):
    wait = 'touch "$1"; for i in $(seq "$3"); do test -e "$2" && exit 0; sleep 0.1; done; exit 1'
    one, other = str(tmp_path / "one"), str(tmp_path / "other")

    def waiting(tenths: int) -> None:
        spec.shell("first", wait, one, other, str(tenths))
        spec.shell("second", wait, other, one, str(tenths))
        spec.task("first", cache=False)
        spec.task("second", cache=False)

    waiting(100)
    assert execute("--jobs", "2") == 0
    for file in (one, other):
        pathlib.Path(file).unlink()
    waiting(3)
    assert execute("--jobs", "1") == 1


def test_docker_gets_store_root_and_further_folders(
    execute: Command, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    docker = fake_docker.install(tmp_path, "ends")
    for name, value in docker.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "data").mkdir()
    assert execute("--docker", "--mount", "data", "--pipeline-root", "root") == 1
    mounts = [word for word in docker.run_call() if word.startswith("--mount=")]
    folders = [tmp_path / "data", tmp_path / "root", tmp_path / "runs/execute"]
    assert mounts == [f"--mount=type=bind,source={folder},target={folder}" for folder in folders]


def test_forks_start_with_the_entry_points_and_executors_of_the_spec():
    entry = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"
    driver = "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver"
    spec = Spec()
    container = {
        "image": "x",
        "command": ["python", "-m", entry],
        "args": ["--executor_class_path", "some.package.module.Executor", "--other", "x"],
        "lifecycle": {"preCacheCheck": {"command": ["python", "-m", driver]}},
    }
    spec.executor("one", {"container": container})
    spec.shell("two", "true")
    modules = preloaded_modules(parse_spec(spec.document, "spec"))
    assert modules == ["some.package.module", entry, driver]
