"""The SimilarityIndexer component: its inputs, outputs and configuration."""

from __future__ import annotations

import dataclasses
import json

from tfx import v1 as tfx
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec

from components.gallery_edit.artifact import GalleryEdits
from components.image_embedder.artifact import ImageEmbeddings
from components.similarity_indexer.executor import Executor, IndexerConfig


class SimilarityIndexerSpec(component_spec.ComponentSpec):
    """Execution properties and channels of `SimilarityIndexer`."""

    PARAMETERS = {
        # One JSON string, so that it can be a runtime parameter on Kubeflow.
        "config": component_spec.ExecutionParameter(type=str),
        "code_hash": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "embeddings": component_spec.ChannelParameter(type=ImageEmbeddings),
        "model": component_spec.ChannelParameter(type=tfx.types.standard_artifacts.Model),
        "added": component_spec.ChannelParameter(type=ImageEmbeddings, optional=True),
        "edits": component_spec.ChannelParameter(type=GalleryEdits, optional=True),
    }
    OUTPUTS = {
        "servable": component_spec.ChannelParameter(type=tfx.types.standard_artifacts.Model),
    }


class SimilarityIndexer(base_component.BaseComponent):
    """Writes one SavedModel that embeds photos and finds the nearest images of a gallery.

    Outputs:
        servable: The SavedModel for a model server (`servable.py` lists its signatures).
    """

    SPEC_CLASS = SimilarityIndexerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        embeddings: tfx.dsl.Channel,
        model: tfx.dsl.Channel,
        config: IndexerConfig,
        code_hash: str,
        added: tfx.dsl.Channel | None = None,
        edits: tfx.dsl.Channel | None = None,
    ) -> None:
        """Describes the component.

        Args:
            embeddings: Embedded images, with the gallery and calibration splits among them.
            model: The Trainer's model.
            config: What to index and how.
            code_hash: Digest of this component's code; part of the cache key.
            added: Embedded photos that were added to the gallery by hand.
            edits: What was added and removed by hand; only together with `added`.
        """
        super().__init__(
            SimilarityIndexerSpec(
                embeddings=embeddings,
                model=model,
                added=added,
                edits=edits,
                config=json.dumps(dataclasses.asdict(config), sort_keys=True),
                code_hash=code_hash,
                servable=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
            )
        )
