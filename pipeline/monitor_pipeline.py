"""The DAG of `flowersim monitor`: what is served and its embedded images in, a drift report out.

As in `index_pipeline.py`, what it starts from are artifacts of earlier runs in the same ML Metadata
store, so a report's lineage goes back to the data that the served model was trained on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfx import v1 as tfx

from components.drift_monitor.component import DriftMonitor
from components.drift_monitor.config import DriftConfig
from components.image_embedder.artifact import ImageEmbeddings
from components.image_embedder.component import ImageEmbedder
from components.image_embedder.executor import EmbedderConfig
from pipeline.code_hash import code_hash

SUFFIX = "-monitor"
DRIFT_MONITOR = "DriftMonitor"


@dataclasses.dataclass(frozen=True)
class MonitorSources:
    """Artifacts of earlier runs, by their URIs.

    Attributes:
        pushed: What is served, or what it is a copy of.
        model: The Trainer's model.
        examples: Images of the dataset.
        embeddings: The same, embedded by this model, with the reference split among them; None to
            embed that split.
    """

    pushed: str
    model: str
    examples: str
    embeddings: str | None


@dataclasses.dataclass(frozen=True)
class RequestLogs:
    """Files of a request log.

    Attributes:
        files: Their paths.
        fingerprint: Changes when one is written to.
    """

    files: Sequence[str]
    fingerprint: str


def create_monitor_pipeline(
    name: str,
    sources: MonitorSources,
    logs: RequestLogs,
    *,
    model_folder: str,
    config: DriftConfig,
    thumbnail_size: int,
    pipeline_root: str,
    beam_args: Sequence[str] = (),
    metadata_connection_config: tfx.proto.orchestration.ConnectionConfig | None = None,
) -> tfx.dsl.Pipeline:
    """Builds the DAG.

    Args:
        name: Of the pipeline; another one than those that train and index.
        sources: What it starts from.
        logs: The request log.
        model_folder: The served version.
        config: What counts as drift.
        thumbnail_size: Of images that must be embedded for it; shorter side in pixels.
        pipeline_root: Artifacts of all runs.
        beam_args: Apache Beam options of every Beam step.
        metadata_connection_config: The ML Metadata store that has the sources.

    Returns:
        The pipeline, ready for any TFX runner.
    """
    artifacts = tfx.types.standard_artifacts
    pushed = _imported("ServedModel", sources.pushed, artifacts.PushedModel)
    nodes = [pushed]
    if sources.embeddings is None:
        model = _imported("Model", sources.model, artifacts.Model)
        examples = _imported("Examples", sources.examples, artifacts.Examples)
        embedder = ImageEmbedder(
            examples=examples.outputs["result"],
            model=model.outputs["result"],
            config=EmbedderConfig((config.reference_split,), thumbnail_size),
            code_hash=code_hash("components.image_embedder.executor"),
        ).with_id("ReferenceEmbedder")
        embeddings = embedder.outputs["embeddings"]
        nodes += [model, examples, embedder]
    else:
        imported = _imported("Embeddings", sources.embeddings, ImageEmbeddings)
        embeddings = imported.outputs["result"]
        nodes.append(imported)
    monitor = DriftMonitor(
        pushed.outputs["result"],
        embeddings,
        logs=logs.files,
        fingerprint=logs.fingerprint,
        model_folder=model_folder,
        config=config,
        code_hash=code_hash("components.drift_monitor.executor"),
    ).with_id(DRIFT_MONITOR)
    return tfx.dsl.Pipeline(
        pipeline_name=name,
        pipeline_root=pipeline_root,
        components=[*nodes, monitor],
        # The same log, compared with the same model, says the same.
        enable_cache=True,
        metadata_connection_config=metadata_connection_config,
        beam_pipeline_args=list(beam_args),
    )


def _imported(name: str, uri: str, artifact_type: type[Any]) -> Any:
    """A node that takes the artifact which the store has for a place."""
    return tfx.dsl.Importer(source_uri=uri, artifact_type=artifact_type).with_id(name)
