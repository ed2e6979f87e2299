"""Reads from ML Metadata what a run's components wrote.

The one place that knows how TFX lays a run out in the store. Not for judging results: that is
`summary.py`.
"""

from __future__ import annotations

import dataclasses

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2


@dataclasses.dataclass(frozen=True)
class Output:
    """An artifact of a run.

    Attributes:
        uri: Where its files are.
        properties: Its custom properties.
    """

    uri: str
    properties: dict[str, int | float | str]


@dataclasses.dataclass(frozen=True)
class Run:
    """What the last run left.

    Attributes:
        id: TFX's name of the run.
        outputs: Artifacts by component id and output key; of lists the last one.
    """

    id: str
    outputs: dict[tuple[str, str], Output]


def latest_run(store: mlmd.MetadataStore, pipeline_name: str) -> Run | None:
    """Returns the latest run of a pipeline, or None if there was none."""
    context = store.get_context_by_type_and_name("pipeline", pipeline_name)
    if context is None:
        return None
    runs = [
        child
        for child in store.get_children_contexts_by_context(context.id)
        if child.type == "pipeline_run"
    ]
    if not runs:
        return None
    run = max(runs, key=lambda candidate: candidate.id)
    return Run(run.name, _outputs(store, run.id))


def _outputs(store: mlmd.MetadataStore, run_id: int) -> dict[tuple[str, str], Output]:
    executions = [
        execution
        for execution in store.get_executions_by_context(run_id)
        if execution.last_known_state
        in (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)
    ]
    nodes = {execution.id: _node(store, execution.id) for execution in executions}
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
        (nodes[event.execution_id], event.path.steps[0].key): Output(
            artifacts[event.artifact_id].uri, _properties(artifacts[event.artifact_id])
        )
        for event in sorted(events, key=lambda event: event.artifact_id)
    }


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
