"""The SimilarityIndexer component: its inputs, outputs and configuration."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from tfx import v1 as tfx
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec

from components.similarity_indexer.artifact import SimilarityIndex
from components.similarity_indexer.executor import Executor, IndexerConfig


class SimilarityIndexerSpec(component_spec.ComponentSpec):
    """Execution properties and channels of `SimilarityIndexer`."""

    PARAMETERS = {
        # One JSON string, so that it can be a runtime parameter on Kubeflow.
        "config": component_spec.ExecutionParameter(type=str),
        "code_hash": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=tfx.types.standard_artifacts.Examples),
        "model": component_spec.ChannelParameter(type=tfx.types.standard_artifacts.Model),
    }
    OUTPUTS = {
        "servable": component_spec.ChannelParameter(type=tfx.types.standard_artifacts.Model),
        "index": component_spec.ChannelParameter(type=SimilarityIndex),
    }


class SimilarityIndexer(base_component.BaseComponent):
    """Embeds images and writes one SavedModel that finds the nearest of them.

    Outputs:
        servable: The SavedModel for a model server (`servable.py` lists its signatures).
        index: The embeddings it was made of.
    """

    SPEC_CLASS = SimilarityIndexerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: tfx.dsl.Channel,
        model: tfx.dsl.Channel,
        config: IndexerConfig | Mapping[str, Any],
        code_hash: str,
    ) -> None:
        """Describes the component.

        Args:
            examples: Raw examples with the gallery and calibration splits.
            model: The Trainer's model.
            config: What to index and how.
            code_hash: Digest of this component's code; part of the cache key.
        """
        values = dataclasses.asdict(config) if isinstance(config, IndexerConfig) else dict(config)
        super().__init__(
            SimilarityIndexerSpec(
                examples=examples,
                model=model,
                config=json.dumps(values, sort_keys=True),
                code_hash=code_hash,
                servable=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
                index=tfx.dsl.Channel(type=SimilarityIndex),
            )
        )
