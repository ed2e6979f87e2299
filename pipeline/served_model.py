"""What the served version was made of, traced back through ML Metadata.

That is the last model that was blessed, checked and pushed; after a rollback, the one rolled back
to. An edit of the gallery goes on from there: same model, same images, same configuration.
"""

from __future__ import annotations

import dataclasses
import json
import os

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2

from components.gallery_edit.ledger import GalleryError
from components.image_embedder.executor import EmbedderConfig
from components.pusher.rollback import original
from components.pusher.versions import complete_versions
from components.serving_check.config import ServingCheckConfig
from components.similarity_indexer.executor import IndexerConfig
from pipeline.index_pipeline import IndexSources


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """The origin of what is served.

    Attributes:
        version: The newest version.
        pushed: URI of the PushedModel that it is, or is a copy of.
        sources: What it was indexed from.
        indexer: What was indexed, and how.
        embedder: How the images were embedded.
        check: How the model was tried in a server; None if it was not.
        canonical_size: Shorter side of the model's canonical images in pixels.
        pipeline_name: The pipeline that trained it.
    """

    version: int
    pushed: str
    sources: IndexSources
    indexer: IndexerConfig
    embedder: EmbedderConfig
    check: ServingCheckConfig | None
    canonical_size: int
    pipeline_name: str


def trace(store: mlmd.MetadataStore, serving: str) -> ServedModel:
    """Traces the newest version below a folder.

    Args:
        store: The store of the runs that pushed there.
        serving: Folder of the versions.

    Raises:
        GalleryError: There is no version, no run in the store pushed it, or what it was made of is
            gone.
    """
    versions = complete_versions(serving)
    if not versions:
        raise GalleryError(f"{serving} holds no model; flowersim run pushes one there")
    place = os.path.join(serving, str(original(serving, versions[-1])))
    pushes = [
        artifact
        for artifact in store.get_artifacts_by_type("PushedModel")
        if artifact.custom_properties["pushed_destination"].string_value == place
    ]
    if not pushes:
        raise GalleryError(
            f"no run in this workdir pushed {place}, so what it was made of is not known; "
            "flowersim run pushes a model that can be edited"
        )
    pushed = max(pushes, key=lambda artifact: artifact.id)
    push = _producer(store, pushed)
    inputs = _inputs(store, push)
    index = _producer(store, inputs["model"])
    indexed = _inputs(store, index)
    embedding = _producer(store, indexed["embeddings"])
    training = _producer(store, indexed["model"])
    sources = IndexSources(
        model=indexed["model"].uri,
        blessing=inputs["model_blessing"].uri,
        examples=_inputs(store, embedding)["examples"].uri,
        embeddings=indexed["embeddings"].uri,
    )
    for uri in (sources.model, sources.blessing, sources.examples):
        if not os.path.exists(uri):
            raise GalleryError(
                f"{uri}, of which {place} was made, is gone; flowersim run makes it anew"
            )
    embedder = json.loads(_text(embedding, "config"))
    check = None
    if infra_blessing := inputs.get("infra_blessing"):
        config = _text(_producer(store, infra_blessing), "config")
        check = ServingCheckConfig(**json.loads(config))
    return ServedModel(
        version=versions[-1],
        pushed=pushed.uri,
        sources=sources,
        indexer=IndexerConfig(**json.loads(_text(index, "config"))),
        embedder=EmbedderConfig(tuple(embedder["splits"]), embedder["thumbnail_size"]),
        check=check,
        canonical_size=json.loads(_text(training, "custom_config"))["config"]["canonical_size"],
        pipeline_name=_pipeline(store, training),
    )


def _producer(
    store: mlmd.MetadataStore, artifact: metadata_store_pb2.Artifact
) -> metadata_store_pb2.Execution:
    """The execution that wrote an artifact; importers and cached executions came later."""
    events = [
        event
        for event in store.get_events_by_artifact_ids([artifact.id])
        if event.type == metadata_store_pb2.Event.OUTPUT
    ]
    first = min(event.execution_id for event in events)
    return store.get_executions_by_id([first])[0]


def _inputs(
    store: mlmd.MetadataStore, execution: metadata_store_pb2.Execution
) -> dict[str, metadata_store_pb2.Artifact]:
    """The artifacts that an execution read, by the component's name for them."""
    events = [
        event
        for event in store.get_events_by_execution_ids([execution.id])
        if event.type == metadata_store_pb2.Event.INPUT
    ]
    artifacts = {
        artifact.id: artifact
        for artifact in store.get_artifacts_by_id([event.artifact_id for event in events])
    }
    return {event.path.steps[0].key: artifacts[event.artifact_id] for event in events}


def _text(execution: metadata_store_pb2.Execution, name: str) -> str:
    return execution.custom_properties[name].string_value


def _pipeline(store: mlmd.MetadataStore, execution: metadata_store_pb2.Execution) -> str:
    return next(
        context.name
        for context in store.get_contexts_by_execution(execution.id)
        if context.type == "pipeline"
    )
