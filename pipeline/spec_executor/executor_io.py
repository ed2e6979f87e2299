"""What a task is told and what it reports: ExecutorInput and ExecutorOutput, both JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from pipeline.spec_executor.artifacts import NAMES, Artifact, Values, is_remote, local_path, plain
from pipeline.spec_executor.errors import TaskError
from pipeline.spec_executor.interface_loader import metadata_of, value_of
from pipeline.spec_executor.proto import pipeline_spec_pb2
from pipeline.spec_executor.spec import Component, Interface, ParameterDefinition

OUTPUT_FILE = "executor_output.json"


@dataclasses.dataclass(frozen=True)
class Places:
    """Where one execution of a task writes.

    Attributes:
        folder: Local; what the task reports, its parameters and its log.
        uri: Folder of its artifacts, local or in a bucket.
        identity: Unique in the store; what the names of its artifacts begin with.
    """

    folder: pathlib.Path
    uri: str
    identity: str

    def make(self) -> None:
        """Makes the local folders; an artifact's own is the task's business."""
        (self.folder / "parameters").mkdir(parents=True)
        if not is_remote(self.uri):
            os.makedirs(local_path(self.uri), exist_ok=True)


def planned_outputs(component: Component, places: Places) -> dict[str, tuple[Artifact, ...]]:
    """The artifacts that a task is to make, by key: one each, the first of a list."""
    return {
        key: (
            Artifact(
                name=f"{NAMES}/{places.identity}-{key}",
                type=definition.type,
                uri=f"{places.uri}/{key}",
                metadata=dict(definition.metadata),
            ),
        )
        for key, definition in component.outputs.artifacts.items()
    }


def executor_input(
    component: Component,
    inputs: Values,
    outputs: Mapping[str, tuple[Artifact, ...]],
    places: Places,
) -> dict[str, Any]:
    """ExecutorInput in JSON.

    Args:
        component: What runs.
        inputs: What it is given.
        outputs: What it is to make.
        places: Where it writes.
    """
    definitions = component.inputs.parameters
    legacy = {
        key: _legacy(definitions[key], value)
        for key, value in inputs.parameters.items()
        if key in definitions and definitions[key].legacy
    }
    result: dict[str, Any] = {
        "inputs": {
            "parameterValues": dict(inputs.parameters),
            "artifacts": _lists(inputs.artifacts),
        },
        "outputs": {
            "parameters": {
                key: {"outputFile": str(places.folder / "parameters" / key)}
                for key in component.outputs.parameters
            },
            "artifacts": _lists(outputs),
            "outputFile": str(places.folder / OUTPUT_FILE),
        },
    }
    if legacy:
        result["inputs"]["parameters"] = legacy
    return result


def _lists(artifacts: Mapping[str, tuple[Artifact, ...]]) -> dict[str, Any]:
    return {key: {"artifacts": [a.to_json() for a in listed]} for key, listed in artifacts.items()}


def _legacy(definition: ParameterDefinition, value: Any) -> dict[str, Any]:
    field = {"NUMBER_INTEGER": "intValue", "NUMBER_DOUBLE": "doubleValue"}
    return {field.get(definition.type, "stringValue"): value}


def read_output(places: Places, outputs: Mapping[str, tuple[Artifact, ...]]) -> Values:
    """What a task has reported in its output file.

    Args:
        places: Where it wrote.
        outputs: What it was to make.

    Returns:
        Parameters it gave, and all artifacts: as planned, with the URI and metadata that it gave
        them.

    Raises:
        TaskError: The file is not ExecutorOutput.
    """
    from google.protobuf import json_format

    file = places.folder / OUTPUT_FILE
    if not file.exists():
        return Values({}, dict(outputs))
    message = pipeline_spec_pb2().ExecutorOutput()
    try:
        json_format.Parse(file.read_text("utf-8"), message, ignore_unknown_fields=True)
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise TaskError(f"{file} is no ExecutorOutput: {error}") from None
    parameters = {key: value_of(value) for key, value in message.parameters.items()}
    parameters |= {key: value_of(value) for key, value in message.parameter_values.items()}
    artifacts = dict(outputs)
    for key, listed in message.artifacts.items():
        if key in outputs:
            artifacts[key] = tuple(
                _reported(outputs[key][0], index, given)
                for index, given in enumerate(listed.artifacts)
            )
    return Values(parameters, artifacts)


def _reported(planned: Artifact, index: int, given: Any) -> Artifact:
    """The planned artifact with what the task says of it; further ones of a list get own names."""
    return Artifact(
        name=planned.name if not index else f"{planned.name}-{index}",
        type=planned.type,
        uri=given.uri or planned.uri,
        metadata={**planned.metadata, **plain(metadata_of(given))},
    )


def output_parameters(
    interface: Interface, places: Places, reported: Mapping[str, Any]
) -> dict[str, Any]:
    """The values of a task's output parameters.

    Args:
        interface: What it must give.
        places: Where it wrote.
        reported: What its output file says; a file for the parameter alone counts otherwise.

    Raises:
        TaskError: A value is missing, or not of its type.
    """
    values = {}
    for key, definition in interface.parameters.items():
        file = places.folder / "parameters" / key
        if key in reported:
            values[key] = typed(key, definition, reported[key])
        elif file.exists():
            values[key] = typed(key, definition, _parsed(key, definition, file.read_text("utf-8")))
        elif not definition.optional:
            raise TaskError(f"the task has not written its output parameter {key}")
    return values


def _parsed(key: str, definition: ParameterDefinition, text: str) -> Any:
    if definition.type == "STRING":
        return text
    try:
        # As Python writes booleans.
        return json.loads(text.strip().lower() if definition.type == "BOOLEAN" else text)
    except ValueError:
        raise TaskError(f"the output parameter {key} is {text[:60]!r}, no JSON") from None


def typed(key: str, definition: ParameterDefinition, value: Any) -> Any:
    """A value as its parameter's type has it: one kind of JSON numbers, two of parameters.

    Args:
        key: The parameter's name.
        definition: Its definition.
        value: A JSON value.

    Raises:
        TaskError: It is of another type.
    """
    match definition.type, value:
        case "STRING", str():
            return value
        case "NUMBER_INTEGER", int() | float() if value == int(value) and value is not True:
            return int(value)
        case "NUMBER_DOUBLE", int() | float() if not isinstance(value, bool):
            return float(value)
        case "BOOLEAN", bool():
            return value
        case ("LIST", list()) | ("STRUCT", dict()):
            return plain(value)
        case ("TASK_FINAL_STATUS", _) | ("PARAMETER_TYPE_ENUM_UNSPECIFIED", _):
            return value
        case "STRING", list() | dict():
            # KFP passes these to text parameters as their JSON.
            return json.dumps(plain(value))
    raise TaskError(f"the parameter {key} is {definition.type}, and {value!r} is not")
