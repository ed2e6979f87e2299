"""The ImageEmbedder component: its inputs, outputs and configuration."""

from __future__ import annotations

import dataclasses
import json

from tfx import v1 as tfx
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec

from components.image_embedder.artifact import ImageEmbeddings
from components.image_embedder.executor import EmbedderConfig, Executor


class ImageEmbedderSpec(component_spec.ComponentSpec):
    """Execution properties and channels of `ImageEmbedder`."""

    PARAMETERS = {
        # One JSON string, so that it can be a runtime parameter on Kubeflow.
        "config": component_spec.ExecutionParameter(type=str),
        "code_hash": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=tfx.types.standard_artifacts.Examples),
        "model": component_spec.ChannelParameter(type=tfx.types.standard_artifacts.Model),
    }
    OUTPUTS = {"embeddings": component_spec.ChannelParameter(type=ImageEmbeddings)}


class ImageEmbedder(base_component.BaseComponent):
    """Embeds images once for all that work with embeddings.

    Outputs:
        embeddings: Embeddings, thumbnails and what is known of the images (`records.py`).
    """

    SPEC_CLASS = ImageEmbedderSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: tfx.dsl.Channel,
        model: tfx.dsl.Channel,
        config: EmbedderConfig,
        code_hash: str,
    ) -> None:
        """Describes the component.

        Args:
            examples: Raw examples.
            model: The Trainer's model.
            config: What to embed.
            code_hash: Digest of this component's code; part of the cache key.
        """
        super().__init__(
            ImageEmbedderSpec(
                examples=examples,
                model=model,
                config=json.dumps(dataclasses.asdict(config), sort_keys=True),
                code_hash=code_hash,
                embeddings=tfx.dsl.Channel(type=ImageEmbeddings),
            )
        )
