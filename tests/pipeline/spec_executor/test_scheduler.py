"""Order, conditions, failures and exit handlers of whole runs of small pipelines."""

from __future__ import annotations

import json
import pathlib
import time
from collections.abc import Callable

from google.protobuf import json_format

from pipeline.spec_executor.proto import pipeline_spec_pb2
from pipeline.spec_executor.run import Run, State
from tests.pipeline.spec_executor.specs import In, Out, Spec, Status

Runner = Callable[..., Run]


def states(run: Run) -> dict[str, str]:
    return {name: task.state.value for name, task in sorted(run.tasks.items())}


def test_values_flow_from_task_to_task(run: Runner):
    spec = Spec(parameters={"count": "NUMBER_INTEGER"})
    spec.values = {"count": 3}
    spec.shell(
        "make",
        'echo "made $1" > "$2"; printf 2.5 > "$3"',
        "{{$.inputs.parameters['count']}}",
        "{{$.outputs.artifacts['out'].path}}",
        "{{$.outputs.parameters['half'].output_file}}",
        parameters={"count": "NUMBER_INTEGER"},
        makes=["out"],
        gives={"half": "NUMBER_DOUBLE"},
    )
    spec.shell(
        "use",
        'cat "$1"; echo "half $2"',
        "{{$.inputs.artifacts['in'].path}}",
        "{{$.inputs.parameters['half']}}",
        parameters={"half": "NUMBER_DOUBLE"},
        artifacts=["in"],
    )
    spec.task("make", parameters={"count": In("count")})
    spec.task("use", parameters={"half": Out("make", "half")}, artifacts={"in": Out("make", "out")})
    result = run(spec)
    assert result.succeeded
    assert result.tasks["make"].parameters == {"half": 2.5}
    log = result.tasks["use"].log
    assert log is not None and log.read_text() == "made 3\nhalf 2.5\n"
    written = json.loads((result.folder / "result.json").read_text())
    assert written["state"] == "SUCCEEDED" and written["parameters"] == {"count": 3}
    assert [task["name"] for task in written["tasks"]] == ["make", "use"]


def test_a_false_condition_skips_what_depends_on_it(run: Runner):
    spec = Spec()
    spec.shell("flip", 'printf heads > "$1"', "{{$.outputs.parameters['side'].output_file}}",
               gives={"side": "STRING"})  # fmt: skip
    spec.shell("branch", "true", parameters={"side": "STRING"})
    spec.shell("other", "true")
    side = {"side": Out("flip", "side")}
    spec.task("flip")
    spec.task("heads", "branch", parameters=side,
              condition="inputs.parameter_values['side'] == 'heads'")  # fmt: skip
    spec.task("tails", "branch", parameters=side,
              condition="!(inputs.parameter_values['side'] == 'heads')")  # fmt: skip
    spec.task("after-heads", "other", after=["heads"])
    spec.task("after-tails", "other", after=["tails"])
    spec.task("after-after-tails", "other", after=["after-tails"])
    spec.task("always", "other", after=["heads", "tails"], completed=True)
    result = run(spec)
    assert result.succeeded, "a skipped task is no failure"
    assert states(result) == {
        "flip": "SUCCEEDED",
        "heads": "SUCCEEDED",
        "tails": "SKIPPED",
        "after-heads": "SUCCEEDED",
        "after-tails": "SKIPPED",
        "after-after-tails": "SKIPPED",
        "always": "SUCCEEDED",
    }


def test_a_failure_stops_its_dependants_and_nothing_else(run: Runner, tmp_path: pathlib.Path):
    spec = Spec()
    spec.shell("fails", "echo one >&2; echo it broke >&2; exit 7")
    spec.shell("slow", f"sleep 0.3; touch {tmp_path}/slow")
    spec.shell("good", "true")
    spec.task("fails")
    spec.task("slow")
    spec.task("after-slow", "good", after=["slow"])
    spec.task("after-fails", "good", after=["fails"])
    spec.task("after-both", "good", after=["after-fails", "after-slow"])
    result = run(spec)
    assert result.state is State.FAILED
    assert states(result) == {
        "fails": "FAILED",
        "slow": "SUCCEEDED",
        "after-slow": "SUCCEEDED",
        "after-fails": "NOT_TRIGGERED",
        "after-both": "NOT_TRIGGERED",
    }
    assert result.tasks["fails"].error == "exit status 7\none\nit broke"


def exit_handler_spec(script: str) -> Spec:
    """The pipeline in a DAG of its own, and a handler that writes what it is told."""
    spec = Spec()
    spec.shell("work", script)
    spec.shell("handler", 'printf %s "$1" > "$2"', "{{$.inputs.parameters['status']}}",
               "{{$.outputs.parameters['told'].output_file}}",
               parameters={"status": "STRING"}, gives={"told": "STRING"})  # fmt: skip
    inside = spec.dag("tfx-dag")
    spec.task("work", of=inside)
    spec.task("after", "work", of=inside, after=["work"])
    spec.task("tfx-dag")
    spec.task("handler", after=["tfx-dag"], completed=True,
              parameters={"status": Status("tfx-dag")})  # fmt: skip
    return spec


def test_the_exit_handler_is_told_of_success(run: Runner):
    result = run(exit_handler_spec("true"))
    assert result.succeeded
    told = json.loads(result.tasks["handler"].parameters["told"])
    assert told == {
        "state": "SUCCEEDED",
        "pipelineTaskName": "tfx-dag",
        "error": {},
        "pipelineJobName": result.id,
        "pipelineJobResourceName": f"projects/local/locations/local/pipelineJobs/{result.id}",
    }


def test_the_exit_handler_is_told_of_failure_and_the_run_has_failed(run: Runner):
    result = run(exit_handler_spec("exit 1"))
    assert result.state is State.FAILED
    assert states(result) == {
        "handler": "SUCCEEDED",
        "tfx-dag": "FAILED",
        "tfx-dag/after": "NOT_TRIGGERED",
        "tfx-dag/work": "FAILED",
    }
    told = pipeline_spec_pb2().PipelineTaskFinalStatus()
    json_format.Parse(result.tasks["handler"].parameters["told"], told)
    assert told.state == "FAILED"
    assert told.error.code == 9 and "work" in told.error.message


def test_tasks_run_at_the_same_time(run: Runner, tmp_path: pathlib.Path):
    """Each of two tasks waits for what the other writes."""
    spec = Spec()
    wait = 'touch "$1"; for i in $(seq 100); do test -e "$2" && exit 0; sleep 0.1; done; exit 1'
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    spec.shell("first", wait, one, other)
    spec.shell("second", wait, other, one)
    spec.task("first")
    spec.task("second")
    assert run(spec, jobs=2).succeeded


def test_no_more_tasks_than_jobs_run_at_the_same_time(run: Runner, tmp_path: pathlib.Path):
    spec = Spec()
    spec.shell("alone", f"mkdir {tmp_path}/busy; sleep 0.1; rmdir {tmp_path}/busy")
    for index in range(3):
        spec.task(f"task-{index}", "alone", cache=False)
    result = run(spec, jobs=1)
    assert result.succeeded, "two were there at once"


def test_values_go_into_a_dag_and_out_of_it(run: Runner):
    spec = Spec(parameters={"word": {"parameterType": "STRING", "defaultValue": "hello"}})
    spec.shell("write", 'printf %s "$1" > "$2"', "{{$.inputs.parameters['word']}}",
               "{{$.outputs.artifacts['file'].path}}",
               parameters={"word": "STRING"}, makes=["file"])  # fmt: skip
    spec.shell("double", 'cat "$1" "$1" > "$2"; cat "$1" "$1" > "$3"',
               "{{$.inputs.artifacts['in'].path}}", "{{$.outputs.artifacts['out'].path}}",
               "{{$.outputs.parameters['text'].output_file}}",
               artifacts=["in"], makes=["out"], gives={"text": "STRING"})  # fmt: skip
    inside = spec.dag(
        "twice",
        artifacts=["given"],
        makes=["result"],
        gives={"text": "STRING"},
        outputs={
            "artifacts": {
                "result": {
                    "artifactSelectors": [{"producerSubtask": "second", "outputArtifactKey": "out"}]
                }
            },
            "parameters": {
                "text": {
                    "valueFromParameter": {
                        "producerSubtask": "second",
                        "outputParameterKey": "text",
                    }
                }
            },
        },
    )
    spec.task("first", "double", of=inside, artifacts={"in": In("given")})
    spec.task("second", "double", of=inside, artifacts={"in": Out("first", "out")})
    spec.shell("show", 'cat "$1"; echo " $2"', "{{$.inputs.artifacts['in'].path}}",
               "{{$.inputs.parameters['text']}}",
               artifacts=["in"], parameters={"text": "STRING"})  # fmt: skip
    spec.task("write", parameters={"word": In("word")})
    spec.task("twice", artifacts={"given": Out("write", "file")})
    spec.task("show", artifacts={"in": Out("twice", "result")},
              parameters={"text": Out("twice", "text")})  # fmt: skip
    result = run(spec, parameters=["word=ab"])
    assert result.succeeded, {name: task.error for name, task in result.tasks.items()}
    log = result.tasks["show"].log
    assert log is not None and log.read_text() == "abababab abababab\n"


def test_one_of_several_branches_gives_the_output(run: Runner):
    """What KFP makes of `dsl.OneOf`."""
    spec = Spec(parameters={"side": "STRING"})
    spec.shell("say", 'printf %s "$1" > "$2"', "{{$.inputs.parameters['word']}}",
               "{{$.outputs.parameters['said'].output_file}}",
               parameters={"word": "STRING"}, gives={"said": "STRING"})  # fmt: skip
    selectors = [
        {"producerSubtask": name, "outputParameterKey": "said"} for name in ("left", "right")
    ]
    inside = spec.dag(
        "branches",
        parameters={"side": "STRING"},
        gives={"said": "STRING"},
        outputs={"parameters": {"said": {"valueFromOneof": {"parameterSelectors": selectors}}}},
    )
    for name in ("left", "right"):
        spec.task(name, "say", of=inside, parameters={"word": f"to the {name}", "side": In("side")},
                  condition=f"inputs.parameter_values['side'] == '{name}'")  # fmt: skip
    spec.document["components"]["say"]["inputDefinitions"]["parameters"]["side"] = {
        "parameterType": "STRING"
    }
    spec.task("branches", parameters={"side": In("side")})
    result = run(spec, parameters=["side=right"])
    assert result.tasks["branches"].parameters == {"said": "to the right"}
    assert result.tasks["branches/left"].state is State.SKIPPED


def test_a_task_is_tried_again_as_its_policy_says(run: Runner, tmp_path: pathlib.Path):
    spec = Spec()
    script = f'echo x >> {tmp_path}/tries; test "$(wc -l < {tmp_path}/tries)" -ge 3'
    spec.shell("flaky", script)
    spec.task("flaky", retryPolicy={"maxRetryCount": 2, "backoffDuration": "0.05s"})
    started = time.monotonic()
    assert run(spec).succeeded
    assert time.monotonic() - started >= 0.05 + 0.1, "the delay doubles"
    spec.tasks["flaky"]["retryPolicy"]["maxRetryCount"] = 1
    (tmp_path / "tries").unlink()
    assert run(spec, use_cache=False).state is State.FAILED


def test_a_task_whose_input_was_skipped_fails_unless_it_is_optional(run: Runner):
    spec = Spec()
    spec.shell("make", "true", makes=["out"])
    spec.shell("use", "true", artifacts=["in"])
    spec.shell("may", "true", artifacts=["in"])
    spec.document["components"]["may"]["inputDefinitions"]["artifacts"]["in"]["isOptional"] = True
    spec.task("make", condition="1 > 2")
    spec.task("use", artifacts={"in": Out("make", "out")}, completed=True)
    spec.task("may", artifacts={"in": Out("make", "out")}, completed=True)
    result = run(spec)
    assert states(result) == {"make": "SKIPPED", "may": "SUCCEEDED", "use": "FAILED"}
    assert "make, which gives out, ended as SKIPPED" in (result.tasks["use"].error or "")


def test_constants_may_speak_of_other_inputs(run: Runner):
    """What KFP makes of f-strings."""
    spec = Spec(parameters={"name": "STRING"})
    spec.shell("greet", 'echo "$1"', "{{$.inputs.parameters['text']}}",
               parameters={"text": "STRING", "pipelinechannel--name": "STRING"})  # fmt: skip
    spec.task("greet", parameters={
        "text": "hello {{$.inputs.parameters['pipelinechannel--name']}}!",
        "pipelinechannel--name": In("name"),
    })  # fmt: skip
    log = run(spec, parameters=["name=Ada"]).tasks["greet"].log
    assert log is not None and log.read_text() == "hello Ada!\n"


def test_a_number_that_tfx_declares_as_text_stays_a_number(run: Runner):
    spec = Spec()
    spec.shell("make", 'printf 3 > "$1"', "{{$.outputs.parameters['n'].output_file}}",
               gives={"n": "NUMBER_INTEGER"})  # fmt: skip
    spec.shell("use", 'printf %s "$1"', "{{$}}", parameters={"n": "STRING"})
    spec.task("make")
    spec.task("use", parameters={"n": Out("make", "n")})
    log = run(spec).tasks["use"].log
    assert log is not None
    assert json.loads(log.read_text())["inputs"]["parameterValues"] == {"n": 3}
