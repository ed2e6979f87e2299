"""Reads a compiled spec: a PipelineJob as JSON, or a PipelineSpec as YAML or JSON.

Parsed strictly against the official proto, then turned into the values of `spec.py`. What the
executor does not support is refused here, so that a run never stops half-way for it.
"""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

from pipeline.spec_executor.errors import SpecError
from pipeline.spec_executor.executors_loader import Refusal, executor_of
from pipeline.spec_executor.graph import check
from pipeline.spec_executor.interface_loader import interface, value_of
from pipeline.spec_executor.proto import pipeline_spec_pb2
from pipeline.spec_executor.spec import Component, Dag, PipelineSpec, TaskOutput
from pipeline.spec_executor.tasks_loader import task_of


def load_spec(path: str | os.PathLike[str]) -> PipelineSpec:
    """Reads and checks a spec.

    Args:
        path: A file as TFX's KubeflowV2DagRunner or KFP's compiler writes it.

    Returns:
        The spec; every reference in it leads somewhere.

    Raises:
        SpecError: It is not such a file, is not consistent, or has what is not supported; the
            message names the file and the place.
        OSError: The file cannot be read.
    """
    file = str(path)
    return parse_spec(_document(file, pathlib.Path(file).read_text("utf-8")), file)


def parse_spec(document: dict[str, Any], source: str) -> PipelineSpec:
    """Like `load_spec`, for what a file holds.

    Args:
        document: A PipelineJob or PipelineSpec as JSON.
        source: What messages call it.
    """
    pb = pipeline_spec_pb2()
    job = pb.PipelineJob()
    if "pipelineSpec" in document or "runtimeConfig" in document:
        _parse(document, job, source)
        if "pipelineSpec" not in document:
            raise SpecError(f"{source} has a runtimeConfig and no pipelineSpec")
        document = document["pipelineSpec"]
    spec = pb.PipelineSpec()
    _parse(document, spec, source)
    deployment = pb.PipelineDeploymentConfig()
    _parse(document.get("deploymentSpec", {}), deployment, f"{source}, deploymentSpec")
    if not spec.root.WhichOneof("implementation"):
        raise SpecError(f"{source} has no root.dag: is it a compiled pipeline?")
    if not spec.pipeline_info.name:
        raise SpecError(f"{source} has no pipelineInfo.name")
    try:
        _check_name("the pipeline", spec.pipeline_info.name)
        components = {
            name: _component(name, message, deployment) for name, message in spec.components.items()
        }
        root = _component("root", spec.root, deployment)
    except Refusal as refusal:
        raise SpecError(f"{source}: {refusal}") from None
    config = job.runtime_config
    result = PipelineSpec(
        source=source,
        name=spec.pipeline_info.name,
        root=root,
        components=components,
        values={
            **{name: value_of(value) for name, value in config.parameters.items()},
            **{name: value_of(value) for name, value in config.parameter_values.items()},
        },
        pipeline_root=config.gcs_output_directory or spec.default_pipeline_root,
    )
    check(result)
    return result


def _document(file: str, text: str) -> dict[str, Any]:
    """The one JSON object in a file."""
    import yaml

    try:
        if file.endswith((".yaml", ".yml")):
            documents = [d for d in yaml.load_all(text, _TextDatesLoader()) if d is not None]
        else:
            documents = [json.loads(text)]
    except (yaml.YAMLError, ValueError) as error:
        raise SpecError(f"{file} is neither JSON nor YAML: {error}") from None
    if len(documents) > 1:
        raise SpecError(
            f"{file} has {len(documents)} YAML documents: settings for a platform (such as "
            "Kubernetes) are not supported; take them out to execute the pipeline without them"
        )
    if not documents or not isinstance(documents[0], dict):
        raise SpecError(f"{file} is no pipeline spec: it has no mapping at its top")
    return documents[0]


def _TextDatesLoader() -> Any:  # noqa: N802 - it gives a class
    """YAML's safe loader, to which an unquoted date is text, as it is in JSON."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith("timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader


def _parse(document: Any, message: Any, place: str) -> None:
    from google.protobuf import json_format

    try:
        json_format.ParseDict(document, message)
    except json_format.ParseError as error:
        raise SpecError(f"{place}: {error}") from None


def _component(name: str, message: Any, deployment: Any) -> Component:
    from google.protobuf import json_format

    kind = message.WhichOneof("implementation")
    if kind is None:
        raise Refusal(f"component {name} has neither an executor nor a DAG")
    if message.single_platform_specs:
        raise Refusal(f"component {name} has settings for one platform, which are not supported")
    implementation: Any
    if kind == "dag":
        implementation = _dag(name, message.dag)
    else:
        label = message.executor_label
        if label not in deployment.executors:
            raise Refusal(
                f"component {name} names the executor {label!r}, which deploymentSpec.executors "
                "does not have"
            )
        implementation = executor_of(label, deployment.executors[label])
    for face in (message.output_definitions.parameters, message.output_definitions.artifacts):
        for output in face:
            _check_name(f"an output of {name}", output)
    faces = [message.input_definitions, message.output_definitions]
    texts = [json_format.MessageToDict(face) for face in faces]
    return Component(
        name=name,
        inputs=interface(message.input_definitions),
        outputs=interface(message.output_definitions),
        implementation=implementation,
        fingerprint=json.dumps([name, *texts], sort_keys=True),
    )


def _check_name(what: str, name: str) -> None:
    """Refuses a name that, as a part of a path, would lead elsewhere."""
    if name in (".", "..") or any(character in name for character in "/\\\0"):
        raise Refusal(f"{what} is named {name!r}, which is a path")


def _dag(component: str, message: Any) -> Dag:
    tasks = {}
    # A proto's map has no order of its own.
    for name in sorted(message.tasks):
        tasks[name] = task_of(name, message.tasks[name], frozenset(message.tasks), component)
    parameters = {}
    for name, output in message.outputs.parameters.items():
        if output.WhichOneof("kind") == "value_from_oneof":
            selectors = list(output.value_from_oneof.parameter_selectors)
        else:
            selectors = [output.value_from_parameter]
        parameters[name] = tuple(
            TaskOutput(s.producer_subtask, s.output_parameter_key) for s in selectors
        )
    return Dag(
        tasks=tasks,
        artifacts={
            name: tuple(
                TaskOutput(s.producer_subtask, s.output_artifact_key)
                for s in output.artifact_selectors
            )
            for name, output in message.outputs.artifacts.items()
        },
        parameters=parameters,
    )
