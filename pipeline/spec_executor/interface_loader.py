"""Turns the proto's messages about values, types and interfaces into ours."""

from __future__ import annotations

from typing import Any

from pipeline.spec_executor.spec import (
    ArtifactDefinition,
    ArtifactType,
    Interface,
    ParameterDefinition,
)

# What schema version 2.0 called them.
_LEGACY = {1: "NUMBER_INTEGER", 2: "NUMBER_DOUBLE", 3: "STRING"}


def value_of(message: Any) -> Any:
    """The Python value of a `google.protobuf.Value`, or of the older `ml_pipelines.Value`."""
    from google.protobuf import json_format

    if message.DESCRIPTOR.full_name == "google.protobuf.Value":
        return json_format.MessageToDict(message)
    kind = message.WhichOneof("value")
    return getattr(message, kind) if kind else None


def artifact_type(message: Any) -> ArtifactType:
    """The type in an `ArtifactTypeSchema`; `system.Artifact` where it says none."""
    names = {
        "schema_title": "schemaTitle",
        "instance_schema": "instanceSchema",
        "schema_uri": "schemaUri",
    }
    kind = message.WhichOneof("kind")
    if kind is None:
        return ArtifactType("schemaTitle", "system.Artifact")
    return ArtifactType(names[kind], getattr(message, kind), message.schema_version)


def metadata_of(message: Any) -> dict[str, Any]:
    """Metadata of an artifact, with what schema version 2.0 called properties."""
    from google.protobuf import json_format

    old = {**message.properties, **message.custom_properties}
    return {
        **{name: value_of(getattr(value, "constant_value", value)) for name, value in old.items()},
        **json_format.MessageToDict(message.metadata),
    }


def interface(message: Any) -> Interface:
    """The interface in a `ComponentInputsSpec` or `ComponentOutputsSpec`."""
    parameters = {name: _parameter(p) for name, p in message.parameters.items()}
    artifacts = {name: _artifact(a) for name, a in message.artifacts.items()}
    return Interface(parameters=parameters, artifacts=artifacts)


def _parameter(message: Any) -> ParameterDefinition:
    fields = message.DESCRIPTOR.fields_by_name
    legacy = bool(message.type)
    kinds = fields["parameter_type"].enum_type.values_by_number
    name = _LEGACY[message.type] if legacy else kinds[message.parameter_type].name
    takes = "default_value" in fields
    return ParameterDefinition(
        type=name,
        default=value_of(message.default_value)
        if takes and message.HasField("default_value")
        else None,
        optional=takes and message.is_optional,
        legacy=legacy,
    )


def _artifact(message: Any) -> ArtifactDefinition:
    takes = "is_optional" in message.DESCRIPTOR.fields_by_name
    return ArtifactDefinition(
        type=artifact_type(message.artifact_type),
        is_list=message.is_artifact_list,
        optional=takes and message.is_optional,
        metadata={} if takes else metadata_of(message),
    )
