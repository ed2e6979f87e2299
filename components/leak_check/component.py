"""The LeakCheck component: its input, output and configuration."""

from __future__ import annotations

import dataclasses
import json

from tfx import v1 as tfx
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec

from components.image_embedder.artifact import ImageEmbeddings
from components.leak_check.artifact import NearDuplicates
from components.leak_check.executor import Executor, LeakCheckConfig


class LeakCheckSpec(component_spec.ComponentSpec):
    """Execution properties and channels of `LeakCheck`."""

    PARAMETERS = {
        # One JSON string, so that it can be a runtime parameter on Kubeflow.
        "config": component_spec.ExecutionParameter(type=str),
        "code_hash": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {"embeddings": component_spec.ChannelParameter(type=ImageEmbeddings)}
    OUTPUTS = {"near_duplicates": component_spec.ChannelParameter(type=NearDuplicates)}


class LeakCheck(base_component.BaseComponent):
    """Finds images that were evaluated on, or chosen by, and look like one that was trained on.

    Copies byte for byte are found at ingestion already, for any reader; this finds photos that were
    cropped, resized, compressed again, or taken twice.

    Outputs:
        near_duplicates: The list of them (`report.py`).
    """

    SPEC_CLASS = LeakCheckSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self, embeddings: tfx.dsl.Channel, config: LeakCheckConfig, code_hash: str
    ) -> None:
        """Describes the component.

        Args:
            embeddings: Embedded images of all splits.
            config: What counts as a leak.
            code_hash: Digest of this component's code; part of the cache key.
        """
        super().__init__(
            LeakCheckSpec(
                embeddings=embeddings,
                config=json.dumps(dataclasses.asdict(config), sort_keys=True),
                code_hash=code_hash,
                near_duplicates=tfx.dsl.Channel(type=NearDuplicates),
            )
        )
