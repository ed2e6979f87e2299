"""Reading specs: both forms, strictly, and every mistake with its file and place."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from pipeline.spec_executor.conditions import ConditionError, parse_condition
from pipeline.spec_executor.errors import SpecError
from pipeline.spec_executor.loader import load_spec
from pipeline.spec_executor.spec import Constant, Dag, ResolverExecutor, TaskOutput, Trigger
from tests.pipeline.spec_executor.specs import In, Out, Spec


def small() -> Spec:
    spec = Spec(parameters={"word": {"parameterType": "STRING", "defaultValue": "x"}})
    spec.shell("make", "true", parameters={"word": "STRING"}, makes=["out"], gives={"n": "STRING"})
    spec.shell("use", "true", artifacts=["in"], parameters={"n": "STRING"})
    spec.task("make", parameters={"word": In("word")})
    spec.task("use", artifacts={"in": Out("make", "out")}, parameters={"n": Out("make", "n")},
              completed=True)  # fmt: skip
    return spec


def test_a_job_and_its_spec_are_the_same(tmp_path: pathlib.Path):
    spec = small()
    job = spec.load(tmp_path)
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump(spec.document))
    alone = load_spec(file)
    assert (alone.root, alone.components) == (job.root, job.components)
    assert alone.source == str(file)
    dag = job.root.implementation
    assert isinstance(dag, Dag)
    assert dag.tasks["use"].artifacts == {"in": TaskOutput("make", "out")}
    assert dag.tasks["use"].upstream == {"make"}
    assert dag.tasks["use"].trigger is Trigger.ALL_COMPLETED
    assert dag.tasks["make"].cache


def test_the_jobs_own_values_and_root_are_kept(tmp_path: pathlib.Path):
    file = tmp_path / "job.json"
    config = {"gcsOutputDirectory": "gs://bucket/root", "parameterValues": {"word": "y"}}
    file.write_text(json.dumps({"pipelineSpec": small().document, "runtimeConfig": config}))
    spec = load_spec(file)
    assert (spec.values, spec.pipeline_root) == ({"word": "y"}, "gs://bucket/root")


def test_dates_in_yaml_stay_texts(tmp_path: pathlib.Path):
    spec = small()
    spec.document["root"]["inputDefinitions"]["parameters"]["word"]["defaultValue"] = "2024-01-02"
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump(spec.document).replace("'2024-01-02'", "2024-01-02"))
    assert load_spec(file).root.inputs.parameters["word"].default == "2024-01-02"


def test_tfx_names_the_producers_of_parameters_otherwise(tmp_path: pathlib.Path):
    spec = small()
    producer = spec.tasks["use"]["inputs"]["parameters"]["n"]["taskOutputParameter"]
    producer["producerTask"] = "make_task"
    dag = spec.load(tmp_path).root.implementation
    assert isinstance(dag, Dag) and dag.tasks["use"].parameters == {"n": TaskOutput("make", "n")}


def test_the_older_schema(tmp_path: pathlib.Path):
    spec = small()
    root = spec.document["root"]["inputDefinitions"]["parameters"]
    root["word"] = {"type": "INT"}
    spec.tasks["make"]["inputs"]["parameters"]["word"] = {
        "runtimeValue": {"constantValue": {"intValue": "3"}}
    }
    dag = spec.load(tmp_path).root.implementation
    assert isinstance(dag, Dag) and dag.tasks["make"].parameters == {"word": Constant(3)}
    definition = spec.load(tmp_path).root.inputs.parameters["word"]
    assert (definition.type, definition.legacy) == ("NUMBER_INTEGER", True)


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of the document: sets what a path leads to, or takes it away."""

    def do(document: dict[str, Any]) -> None:
        *steps, last = path.split("/")
        inner = document
        for step in steps:
            inner = inner.setdefault(step, {})
        if value is None:
            del inner[last]
        else:
            inner[last] = value

    return do


USE = "root/dag/tasks/use"
EXECUTOR = "deploymentSpec/executors/make_executor"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("nonsense", 1, 'no field named "nonsense"'),
        (f"{USE}/nonsense", 1, 'no field named "nonsense" at "PipelineSpec.root.dag.tasks'),
        ("deploymentSpec/executors/make_executor/x", 1, 'deploymentSpec: .* no field named "x"'),
        ("root", None, "has no root.dag"),
        ("pipelineInfo", None, "has no pipelineInfo.name"),
        ("components/make/executorLabel", "x", "component make names the executor 'x', which"),
        ("components/make/executorLabel", None, "component make has neither an executor nor a DAG"),
        (EXECUTOR, {"customJob": {}}, "make_executor is of kind custom_job, which only a cloud"),
        (EXECUTOR, {}, "executor make_executor is empty"),
        (f"{USE}/componentRef/name", "x", "task use of root runs the component 'x', which is not"),
        (f"{USE}/dependentTasks", ["x"], "use of root comes after the task 'x', which is not"),
        (f"{USE}/parameterIterator", {"itemInput": "n"}, "task use of root is a loop over items"),
        (f"{USE}/triggerPolicy", {"condition": "1 +"}, "use of root: the condition 1 . has its"),
        (
            f"{USE}/inputs/artifacts/in/taskOutputArtifact/outputArtifactKey",
            "x",
            "input in is the output 'x' of make, which is not there; there are out",
        ),
        (
            f"{USE}/inputs/artifacts/in/taskOutputArtifact/producerTask",
            "x",
            "use of root comes after the task 'x', which is not there; there are make, use",
        ),
        (
            f"{USE}/inputs/parameters/n",
            {"componentInputParameter": "x"},
            "is the input 'x' of root",
        ),
        (f"{USE}/inputs/parameters/n", {}, "task use of root, parameter n has no source"),
        (f"{USE}/inputs/parameters/n", None, "gives use no value of its parameter n"),
        ("root/dag/tasks/make/dependentTasks", ["use"], "wait for each other: (make|use) → "),
    ],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: pathlib.Path, path: str, value: Any, message: str
):
    spec = small()
    change(path, value)(spec.document)
    file = spec.write(tmp_path)
    with pytest.raises(SpecError, match=message) as error:
        load_spec(file)
    assert str(error.value).startswith(str(file))


def test_a_component_that_contains_itself(tmp_path: pathlib.Path):
    spec = small()
    spec.task("again", "inner", of=spec.dag("inner"))
    spec.task("inner")
    with pytest.raises(SpecError, match="inner contains itself: root → inner → inner"):
        spec.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("spec.json", "{", "is neither JSON nor YAML"),
        ("spec.yaml", "a: [", "is neither JSON nor YAML"),
        ("spec.yaml", "- a", "has no mapping at its top"),
        ("spec.yaml", "", "has no mapping at its top"),
        ("spec.yaml", "a: 1\n---\nplatforms: {}", "has 2 YAML documents: settings for a platform"),
        ("spec.json", '{"runtimeConfig": {}}', "has a runtimeConfig and no pipelineSpec"),
    ],
)
def test_what_is_no_spec(tmp_path: pathlib.Path, name: str, text: str, message: str):
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(SpecError, match=message) as error:
        load_spec(file)
    assert str(error.value).startswith(str(file))


def test_filters_of_resolvers_and_how_many(tmp_path: pathlib.Path):
    spec = small()
    queries = {"a": {"filter": "state=LIVE"}, "b": {"filter": "state=LIVE", "limit": 3}}
    spec.executor("look", {"resolver": {"outputArtifactQueries": queries}}, makes=["a", "b"])
    spec.task("look")
    executor = spec.load(tmp_path).components["look"].implementation
    assert executor == ResolverExecutor({"a": ("state=LIVE", 1), "b": ("state=LIVE", 3)})


@pytest.mark.parametrize("name", ["../../elsewhere", "/etc/passwd", "..", "a\\b", "a\0b"])
def test_names_that_are_paths_are_refused(tmp_path: pathlib.Path, name: str):
    pipeline = Spec(name)
    artifact, parameter = small(), small()
    artifact.shell("third", "true", makes=[name])
    parameter.shell("third", "true", gives={name: "STRING"})
    for spec in (pipeline, artifact, parameter):
        with pytest.raises(SpecError, match="is named .*, which is a path"):
            spec.load(tmp_path)


@pytest.mark.parametrize(
    "condition",
    [
        "__import__('os').system('true')",
        "inputs.__class__ == 1",
        "inputs.parameter_values.__init__.__globals__ == 1",
        "size(inputs.parameter_values['word'].__class__.__mro__) > 0",
        "(lambda: true)()",
        "[x for x in 'a'] == 'a'",
        "inputs.parameter_values['word'] % 2 == 0",
    ],
)
def test_conditions_reach_nothing_of_python(condition: str):
    inputs = {"inputs": {"parameter_values": {"word": "x"}}}
    with pytest.raises(ConditionError, match="the condition"):
        parse_condition(condition)(inputs)
