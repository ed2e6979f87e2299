"""Reads from ML Metadata what a run's components wrote.

The one place that knows how TFX lays a run out in the store. Not for judging results: that is
`summary.py`.
"""

from __future__ import annotations

import dataclasses
import re

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2

# `pipeline.py` gives a component the digest of its code as a parameter of its own, or within JSON,
# which may hold JSON as text in turn.
_CODE_PARAMETER = "code_hash"
_CODE_IN_JSON = re.compile(r'\\*"code\\*"\s*:\s*\\*"([0-9a-f]{16})\\*"')


@dataclasses.dataclass(frozen=True)
class Output:
    """An artifact of a run.

    Attributes:
        uri: Where its files are.
        properties: Its custom properties.
        id: In the store; None where it is of no store.
        type: Name of its type.
        created: When it was made, in seconds since 1970; None if unknown.
    """

    uri: str
    properties: dict[str, int | float | str]
    id: int | None = None
    type: str = ""
    created: float | None = None


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run left.

    Attributes:
        id: TFX's name of the run.
        outputs: Artifacts by component id and output key; of lists the last one.
    """

    id: str
    outputs: dict[tuple[str, str], Output]


def latest_run(store: mlmd.MetadataStore, pipeline_name: str) -> Run | None:
    """Returns the latest run of a pipeline, or None if there was none."""
    runs = _runs(store, pipeline_name)
    if not runs:
        return None
    run = max(runs, key=lambda candidate: candidate.id)
    return Run(run.name, _outputs(store, run.id))


def read_run(store: mlmd.MetadataStore, pipeline_name: str, run_id: str) -> Run | None:
    """Returns the run of a pipeline that TFX calls `run_id`, or None if it is not in the store."""
    for run in _runs(store, pipeline_name):
        if run.name == run_id:
            return Run(run.name, _outputs(store, run.id))
    return None


def artifact_folders(run: Run | None) -> list[str]:
    """Returns where the artifacts of a run are."""
    return [output.uri for output in run.outputs.values()] if run else []


def read_code(store: mlmd.MetadataStore, pipeline_name: str, run_id: str) -> dict[str, str]:
    """Returns the digests of the code that a run's components were, by component id.

    Components of TFX alone have none and are missing; so is a run that is not in the store.
    """
    for run in _runs(store, pipeline_name):
        if run.name == run_id:
            found = {
                _node(store, execution.id): _code(execution)
                for execution in _finished(store, run.id)
            }
            return {component: code for component, code in sorted(found.items()) if code}
    return {}


def _code(execution: metadata_store_pb2.Execution) -> str | None:
    given = execution.custom_properties
    if _CODE_PARAMETER in given:
        return given[_CODE_PARAMETER].string_value
    for value in given.values():
        if match := _CODE_IN_JSON.search(value.string_value):
            return match[1]
    return None


def _runs(store: mlmd.MetadataStore, pipeline_name: str) -> list[metadata_store_pb2.Context]:
    context = store.get_context_by_type_and_name("pipeline", pipeline_name)
    if context is None:
        return []
    return [
        child
        for child in store.get_children_contexts_by_context(context.id)
        if child.type == "pipeline_run"
    ]


def _finished(store: mlmd.MetadataStore, run_id: int) -> list[metadata_store_pb2.Execution]:
    return [
        execution
        for execution in store.get_executions_by_context(run_id)
        if execution.last_known_state
        in (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)
    ]


def _outputs(store: mlmd.MetadataStore, run_id: int) -> dict[tuple[str, str], Output]:
    nodes = {execution.id: _node(store, execution.id) for execution in _finished(store, run_id)}
    if not nodes:
        return {}
    kinds = (metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.INTERNAL_OUTPUT)
    events = [
        event for event in store.get_events_by_execution_ids(list(nodes)) if event.type in kinds
    ]
    artifacts = {
        artifact.id: artifact
        for artifact in store.get_artifacts_by_id([event.artifact_id for event in events])
    }
    return {
        (nodes[event.execution_id], event.path.steps[0].key): _output(artifacts[event.artifact_id])
        for event in sorted(events, key=lambda event: event.artifact_id)
    }


def _output(artifact: metadata_store_pb2.Artifact) -> Output:
    return Output(
        artifact.uri,
        _properties(artifact),
        artifact.id,
        artifact.type,
        artifact.create_time_since_epoch / 1000 or None,
    )


def _node(store: mlmd.MetadataStore, execution_id: int) -> str:
    """The component id: TFX names the node's context PIPELINE.ID."""
    for context in store.get_contexts_by_execution(execution_id):
        if context.type == "node":
            return context.name.partition(".")[2]
    raise LookupError(f"execution {execution_id} belongs to no node")


def _properties(artifact: metadata_store_pb2.Artifact) -> dict[str, int | float | str]:
    return {
        name: getattr(value, value.WhichOneof("value"))
        for name, value in artifact.custom_properties.items()
        if value.WhichOneof("value") in ("int_value", "double_value", "string_value")
    }
