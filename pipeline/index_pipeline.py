"""The DAG that indexes without training: a blessed model, a gallery with its changes, a push.

What it starts from are artifacts of earlier runs in the same ML Metadata store: importing an
artifact by its place takes the one that is there, so that lineage goes on. Which they are is found
by `served_model.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfx import v1 as tfx

from components.image_embedder.artifact import ImageEmbeddings
from components.image_embedder.component import ImageEmbedder
from components.image_embedder.executor import EmbedderConfig
from components.pusher.component import AtomicPusher
from components.serving_check.config import ServingCheckConfig
from components.similarity_indexer.component import SimilarityIndexer
from components.similarity_indexer.executor import IndexerConfig
from pipeline.code_hash import code_hash
from pipeline.gallery_nodes import gallery_edit_nodes
from pipeline.places import LedgerPlace
from pipeline.serving_check_node import serving_check

SUFFIX = "-index"


@dataclasses.dataclass(frozen=True)
class IndexSources:
    """Artifacts of earlier runs, by their URIs.

    Attributes:
        model: The Trainer's model.
        blessing: The Evaluator's verdict on it.
        examples: Images of the dataset.
        embeddings: The same, embedded by this model; None to embed them.
    """

    model: str
    blessing: str
    examples: str
    embeddings: str | None


@dataclasses.dataclass(frozen=True)
class IndexPlaces:
    """Where the pipeline reads and writes.

    Attributes:
        pipeline_root: Artifacts of all runs.
        serving: Folder of the served model's versions.
        served: What is served now, see `AtomicPusher`.
        ledger: What was changed in the gallery by hand.
    """

    pipeline_root: str
    serving: str
    served: str
    ledger: LedgerPlace


def create_index_pipeline(
    name: str,
    sources: IndexSources,
    places: IndexPlaces,
    *,
    embedder: EmbedderConfig,
    indexer: IndexerConfig,
    check: ServingCheckConfig | None,
    enable_cache: bool = True,
    beam_args: Sequence[str] = (),
    metadata_connection_config: tfx.proto.orchestration.ConnectionConfig | None = None,
) -> tfx.dsl.Pipeline:
    """Builds the DAG.

    Args:
        name: Of the pipeline; another one than that of the pipeline that trains.
        sources: What it starts from.
        places: Where data is and results go.
        embedder: How images are embedded.
        indexer: What is indexed and how.
        check: How the new index is tried in a server; None if it is not.
        enable_cache: Reuse results of unchanged steps.
        beam_args: Apache Beam options of every Beam step.
        metadata_connection_config: The ML Metadata store that has the sources.

    Returns:
        The pipeline, ready for any TFX runner.
    """
    artifacts = tfx.types.standard_artifacts
    model = _imported("BlessedModel", sources.model, artifacts.Model)
    blessing = _imported("Blessing", sources.blessing, artifacts.ModelBlessing)
    examples = _imported("Examples", sources.examples, artifacts.Examples)
    nodes = [model, blessing, examples]
    if sources.embeddings is None:
        embedded = ImageEmbedder(
            examples=examples.outputs["result"],
            model=model.outputs["result"],
            config=embedder,
            code_hash=code_hash("components.image_embedder.executor"),
        )
        embeddings = embedded.outputs["embeddings"]
        nodes.append(embedded)
    else:
        imported = _imported("Embeddings", sources.embeddings, ImageEmbeddings)
        embeddings = imported.outputs["result"]
        nodes.append(imported)
    edit, added = gallery_edit_nodes(
        places.ledger, model.outputs["result"], embedder.thumbnail_size
    )
    similarity_indexer = SimilarityIndexer(
        embeddings=embeddings,
        model=model.outputs["result"],
        added=added.outputs["embeddings"],
        edits=edit.outputs["edits"],
        config=indexer,
        code_hash=code_hash("components.similarity_indexer.executor"),
    )
    checked = serving_check(
        examples.outputs["result"], similarity_indexer.outputs["servable"], check
    )
    pusher = AtomicPusher(
        model=similarity_indexer.outputs["servable"],
        model_blessing=blessing.outputs["result"],
        infra_blessing=checked.outputs["blessing"] if checked else None,
        base_directory=places.serving,
        code_hash=code_hash("components.pusher.executor"),
        served=places.served,
        # A rollback holds back what it rolled back from; this goes on from what it serves.
        despite_hold=True,
    ).with_id("Pusher")
    return tfx.dsl.Pipeline(
        pipeline_name=name,
        pipeline_root=places.pipeline_root,
        components=[
            *nodes,
            edit,
            added,
            similarity_indexer,
            *([checked] if checked else []),
            pusher,
        ],
        enable_cache=enable_cache,
        metadata_connection_config=metadata_connection_config,
        beam_pipeline_args=list(beam_args),
    )


def _imported(name: str, uri: str, artifact_type: type[Any]) -> Any:
    """A node that takes the artifact which the store has for a place."""
    return tfx.dsl.Importer(source_uri=uri, artifact_type=artifact_type).with_id(name)
