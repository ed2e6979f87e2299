"""Finds what a task is given: constants, outputs of other tasks, inputs of the DAG it is in."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from pipeline.spec_executor.artifacts import Artifact, Values, plain
from pipeline.spec_executor.errors import TaskError
from pipeline.spec_executor.executor_io import typed
from pipeline.spec_executor.placeholders import Placeholders
from pipeline.spec_executor.run import State
from pipeline.spec_executor.spec import (
    Component,
    ComponentInput,
    Constant,
    FinalStatus,
    Source,
    Task,
    TaskOutput,
)

# google.rpc.Code of a pipeline some of whose tasks failed.
_FAILED_PRECONDITION = 9


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a task of the same DAG ended, and what it made."""

    state: State
    outputs: Values = dataclasses.field(default_factory=Values)
    error: str | None = None


class _Absent:
    """Stands for no value; None is one."""


def task_inputs(
    task: Task,
    component: Component,
    given: Values,
    ended: Mapping[str, Ended],
    job: Mapping[str, str],
) -> Values:
    """Finds all inputs of a task.

    Args:
        task: The task.
        component: What it runs; its defaults fill what the task leaves out.
        given: Inputs of the DAG that the task is in.
        ended: The other tasks of the DAG that are over.
        job: Values of the placeholders about the run.

    Returns:
        Parameters in their types, and artifacts.

    Raises:
        TaskError: One is missing, for instance since its producer was skipped.
    """
    parameters, constants = {}, {}
    definitions = component.inputs.parameters
    for key in [*task.parameters, *(k for k in definitions if k not in task.parameters)]:
        definition = definitions.get(key)
        source = task.parameters.get(key)
        value = _parameter(source, given, ended, job) if source else _Absent
        if value is _Absent:
            if definition is None or (definition.default is None and definition.optional):
                continue
            if definition.default is None:
                raise TaskError(f"its parameter {key} has no value: {_why(source, ended)}")
            value = definition.default
        if isinstance(source, FinalStatus) and definition and definition.type == "STRING":
            value = json.dumps(value)
        # TFX declares what comes from another task as text, whatever it is.
        dynamic = isinstance(source, TaskOutput) and definition and definition.type == "STRING"
        if definition is None or dynamic:
            parameters[key] = plain(value)
        else:
            parameters[key] = typed(key, definition, value)
        if isinstance(source, Constant) and isinstance(value, str):
            constants[key] = value
    artifacts = {key: _artifacts(key, task, component, given, ended) for key in task.artifacts}
    # What KFP makes of f-strings: a constant with placeholders for other inputs of the task.
    known = Placeholders(_as_json(Values(parameters, artifacts)), job)
    for key, text in constants.items():
        if "{{$." in text:
            parameters[key] = known.text(text)
    return Values(parameters, artifacts)


def _as_json(inputs: Values) -> dict[str, Any]:
    return {
        "inputs": {
            "parameterValues": dict(inputs.parameters),
            "artifacts": {
                key: {"artifacts": [artifact.to_json() for artifact in artifacts]}
                for key, artifacts in inputs.artifacts.items()
            },
        },
        "outputs": {"parameters": {}, "artifacts": {}, "outputFile": ""},
    }


def _parameter(
    source: Source, given: Values, ended: Mapping[str, Ended], job: Mapping[str, str]
) -> Any:
    match source:
        case Constant(value):
            return value
        case ComponentInput(name):
            return given.parameters.get(name, _Absent)
        case TaskOutput(name, key):
            return ended[name].outputs.parameters.get(key, _Absent)
        case FinalStatus(name):
            return final_status(name, ended[name], job)


def final_status(name: str, ended: Ended, job: Mapping[str, str]) -> dict[str, Any]:
    """`PipelineTaskFinalStatus` in JSON: what an exit handler is told.

    Args:
        name: The task whose status it is.
        ended: How it ended.
        job: Values of the placeholders about the run.
    """
    failed = ended.error is not None
    return {
        "state": ended.state.value,
        "pipelineJobResourceName": job["pipeline_job_resource_name"],
        "pipelineJobName": job["pipeline_job_name"],
        "pipelineTaskName": name,
        # KFP looks into it also after a success.
        "error": {"code": _FAILED_PRECONDITION, "message": ended.error} if failed else {},
    }


def _artifacts(
    key: str, task: Task, component: Component, given: Values, ended: Mapping[str, Ended]
) -> tuple[Artifact, ...]:
    source = task.artifacts[key]
    definition = component.inputs.artifacts.get(key)
    found = None
    if isinstance(source, ComponentInput):
        found = given.artifacts.get(source.name)
    elif isinstance(source, TaskOutput) and ended[source.task].state is State.SUCCEEDED:
        # A resolver that found nothing has succeeded with none.
        found = ended[source.task].outputs.artifacts.get(source.key, ())
    if found is None:
        if definition is None or not definition.optional:
            raise TaskError(f"its artifact {key} is not there: {_why(source, ended)}")
        return ()
    return found


def _why(source: Source | None, ended: Mapping[str, Ended]) -> str:
    match source:
        case TaskOutput(name, key) if ended[name].state is not State.SUCCEEDED:
            return f"{name}, which gives {key}, ended as {ended[name].state.value}"
        case TaskOutput(name, key):
            return f"{name} did not give {key}"
        case ComponentInput(name):
            return f"the DAG was not given {name}"
    return "nothing gives it one"


def condition_variables(inputs: Values) -> dict[str, Any]:
    """What a condition can speak of: `inputs` of its task, by the names that compilers write."""
    kinds = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}
    listed = _as_json(inputs)["inputs"]
    return {
        "inputs": {
            "parameter_values": listed["parameterValues"],
            # As schema version 2.0 has it.
            "parameters": {
                key: {kinds.get(type(value), "struct_value"): value}
                for key, value in inputs.parameters.items()
            },
            "artifacts": listed["artifacts"],
        }
    }
