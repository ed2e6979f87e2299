"""Which tasks of a second run are taken from the first, and what happens after a run broke off."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from pipeline.spec_executor.errors import StoreError
from pipeline.spec_executor.run import Run, State
from pipeline.spec_executor.store import Store
from tests.pipeline.spec_executor.specs import Out, Spec

Runner = Callable[..., Run]


def cached(run: Run) -> set[str]:
    assert run.succeeded, {name: task.error for name, task in run.tasks.items()}
    return {name for name, task in run.tasks.items() if task.cached}


def chain(first: str = "echo 1", second: str = "cat") -> Spec:
    """Two tasks, the second of which uses what the first makes."""
    spec = Spec()
    spec.shell("one", f'{first} > "$1"; printf p > "$2"', "{{$.outputs.artifacts['out'].path}}",
               "{{$.outputs.parameters['p'].output_file}}",
               makes=["out"], gives={"p": "STRING"})  # fmt: skip
    spec.shell("two", f'{second} "$1"', "{{$.inputs.artifacts['in'].path}}", artifacts=["in"])
    spec.task("one")
    spec.task("two", artifacts={"in": Out("one", "out")})
    return spec


def test_nothing_is_repeated_without_reason(run: Runner):
    first = run(chain())
    assert cached(first) == set()
    second = run(chain())
    assert cached(second) == {"one", "two"}
    assert second.tasks["one"].outputs == first.tasks["one"].outputs
    assert second.tasks["one"].parameters == {"p": "p"}


def test_another_command_repeats_its_task_and_what_depends_on_it(run: Runner):
    run(chain())
    assert cached(run(chain(second="wc"))) == {"one"}
    assert cached(run(chain(first="echo 2"))) == set()


def test_an_equal_result_of_a_repeated_task_is_another_artifact(run: Runner):
    run(chain())
    assert cached(run(chain(first="echo  1"))) == set()


def test_the_image_the_environment_and_the_pipeline_count(run: Runner):
    def changed(**container: object) -> Spec:
        spec = chain()
        spec.document["deploymentSpec"]["executors"]["two_executor"]["container"].update(container)
        return spec

    run(chain())
    assert cached(run(changed(image="other"))) == {"one"}
    assert cached(run(changed(env=[{"name": "X", "value": "1"}]))) == {"one"}
    other = chain()
    other.document["pipelineInfo"]["name"] = "other"
    assert cached(run(other)) == set()


def test_what_was_removed_is_made_again(run: Runner):
    first = run(chain())
    (artifact,) = first.tasks["one"].outputs["out"]
    os.remove(artifact.uri)
    assert cached(run(chain())) == set()


def test_an_output_that_was_never_there_does_not_hinder(run: Runner):
    spec = Spec()
    spec.shell("nothing", "true", makes=["out"])
    spec.task("nothing")
    run(spec)
    assert cached(run(spec)) == {"nothing"}


def test_only_what_may_be_cached_is(run: Runner):
    spec = chain()
    spec.tasks["two"]["cachingOptions"]["enableCache"] = False
    run(spec)
    assert cached(run(spec)) == {"one"}
    assert cached(run(spec, use_cache=False)) == set()


def test_a_key_of_the_authors_own_takes_the_place_of_all_inputs(run: Runner):
    spec = chain()
    spec.tasks["two"]["cachingOptions"]["cacheKey"] = "mine"
    run(spec)
    changed = chain(first="echo 2")
    changed.tasks["two"]["cachingOptions"]["cacheKey"] = "mine"
    assert cached(run(changed)) == {"two"}


def test_the_check_before_caching_decides(run: Runner, tmp_path: pathlib.Path):
    """As the driver of TFX's ExampleGen: it reports a fingerprint of the data."""
    data = tmp_path / "data"
    data.write_text("1")
    report = (
        'printf \'{"parameterValues": {"fingerprint": "%s", "span": 0}, "artifacts": {"out": '
        '{"artifacts": [{"metadata": {"span": "%s"}}]}}}\' "$(cat "$1")" "$(cat "$1")" > "$2"'
    )
    check = {
        "command": ["sh", "-ec", report, "sh"],
        "args": [str(data), "{{$.outputs.output_file}}"],
    }
    spec = Spec()
    spec.shell("gen", 'echo "$1" > "$2"', "{{$.inputs.parameters['fingerprint']}}",
               "{{$.outputs.artifacts['out'].path}}",
               lifecycle={"preCacheCheck": check}, makes=["out"])  # fmt: skip
    spec.task("gen")
    first = run(spec)
    (artifact,) = first.tasks["gen"].outputs["out"]
    assert artifact.metadata == {"span": "1"}
    assert pathlib.Path(artifact.uri).read_text() == "1\n", "the findings are inputs"
    assert cached(run(spec)) == {"gen"}
    data.write_text("2")
    assert cached(run(spec)) == set()


def test_a_failed_run_goes_on_where_it_broke(run: Runner, tmp_path: pathlib.Path):
    spec = chain(second=f"test -e {tmp_path}/ready && cat")
    failed = run(spec)
    assert failed.state is State.FAILED
    (tmp_path / "ready").touch()
    assert cached(run(spec)) == {"one"}


def test_resume_takes_what_may_not_be_cached_but_only_until_a_success(
    run: Runner, tmp_path: pathlib.Path
):
    spec = chain(second=f"test -e {tmp_path}/ready && cat")
    for task in spec.tasks.values():
        task["cachingOptions"] = {}
    assert run(spec).state is State.FAILED
    assert run(spec, resume=True).state is State.FAILED
    (tmp_path / "ready").touch()
    assert cached(run(spec, resume=True)) == {"one"}, "also from the run before the last"
    assert cached(run(spec, resume=True)) == set(), "nothing is left to go on with"


KILLED = """
import pathlib, sys
from pipeline.spec_executor.loader import load_spec
from pipeline.spec_executor.runner import execute
folder = pathlib.Path(sys.argv[1])
execute(load_spec(folder / "spec.json"), folder / "store", pipeline_root=folder / "root", jobs=2)
"""


def interrupted(folder: pathlib.Path, number: signal.Signals) -> tuple[int, int]:
    """Runs the spec in `folder` in a process of its own, and sends it a signal in its second task.

    Returns its exit status, and the id of the process of that task.
    """
    running = folder / "running"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder)])
    for _ in range(600):
        if running.exists() and running.read_text().endswith("\n"):
            break
        time.sleep(0.05)
    else:
        process.kill()
        pytest.fail("the second task has not begun")
    process.send_signal(number)
    return process.wait(60), int(running.read_text())


def is_gone(process: int) -> bool:
    for _ in range(200):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        state = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_was_ended_leaves_no_process_and_goes_on(
    run: Runner, tmp_path: pathlib.Path, number: signal.Signals
):
    slow = f"echo $$ > {tmp_path}/running; echo half > {tmp_path}/half; sleep 60;"
    spec = chain(second=slow)
    spec.shell("two", f'{slow} echo "$1"', "{{$.outputs.artifacts['out'].path}}", makes=["out"])
    spec.task("two", after=["one"])
    spec.write(tmp_path)
    status, process = interrupted(tmp_path, number)
    assert status == {"SIGKILL": -9, "SIGTERM": 143, "SIGINT": -2}[number.name]
    assert is_gone(process)
    with Store(tmp_path / "store") as store:
        ((broken, state),) = store.run_states("toy").items()
        assert state == ("ABANDONED" if number is signal.SIGKILL else "CANCELLED")
        executions = {e.task: e for e in store.lineage(broken)}
        assert executions["two"].state == state and not executions["two"].outputs.artifacts
    if number is not signal.SIGKILL:
        written = json.loads((tmp_path / "store/runs" / broken / "result.json").read_text())
        assert [task["state"] for task in written["tasks"]] == ["SUCCEEDED", "CANCELLED"]
    # The same spec, and this time the second task ends.
    shutil.copy(shutil.which("true") or "", tmp_path / "sleep")
    path = f"{tmp_path}:{os.environ['PATH']}"
    result = run(spec, environment={**os.environ, "PATH": path})
    assert cached(result) == {"one"}


def test_a_store_is_one_runs_alone(run: Runner, tmp_path: pathlib.Path):
    with Store(tmp_path / "store"), pytest.raises(StoreError, match="in use by another run"):
        run(chain())
    assert run(chain()).succeeded


def test_what_is_no_store_is_left_alone(run: Runner, tmp_path: pathlib.Path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "metadata.sqlite").write_text("something else, and long enough to see")
    with pytest.raises(StoreError, match="metadata.sqlite is no store"):
        run(chain())


def test_lineage_says_what_was_made_from_what(run: Runner, tmp_path: pathlib.Path):
    first, second = run(chain()), run(chain(second="wc"))
    (artifact,) = first.tasks["one"].outputs["out"]
    with Store(tmp_path / "store") as store:
        one, two = store.lineage(second.id)
        assert store.lineage(first.id)[1].inputs.artifacts == {"in": (artifact,)}
    assert one.cached_from == 1 and one.outputs.artifacts == {"out": (artifact,)}
    assert one.outputs.parameters == {"p": "p"}
    assert two.cached_from is None and two.inputs.artifacts == {"in": (artifact,)}
