"""The DriftMonitor component: its inputs, output and configuration."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from tfx import v1 as tfx
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec

from components.drift_monitor.artifact import DriftReport
from components.drift_monitor.config import DriftConfig
from components.drift_monitor.executor import Executor
from components.image_embedder.artifact import ImageEmbeddings


class DriftMonitorSpec(component_spec.ComponentSpec):
    """Execution properties and channels of `DriftMonitor`."""

    PARAMETERS = {
        # JSON strings, so that they can be runtime parameters on Kubeflow.
        "config": component_spec.ExecutionParameter(type=str),
        "logs": component_spec.ExecutionParameter(type=str),
        "fingerprint": component_spec.ExecutionParameter(type=str),
        "model_folder": component_spec.ExecutionParameter(type=str),
        "code_hash": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "pushed_model": component_spec.ChannelParameter(
            type=tfx.types.standard_artifacts.PushedModel
        ),
        "embeddings": component_spec.ChannelParameter(type=ImageEmbeddings),
    }
    OUTPUTS = {"report": component_spec.ChannelParameter(type=DriftReport)}


class DriftMonitor(base_component.BaseComponent):
    """Compares the photos of logged requests with images that the model was evaluated on.

    Outputs:
        report: Numbers and a verdict (`report.py`).
    """

    SPEC_CLASS = DriftMonitorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        pushed_model: tfx.dsl.Channel,
        embeddings: tfx.dsl.Channel,
        *,
        logs: Sequence[str],
        fingerprint: str,
        model_folder: str,
        config: DriftConfig,
        code_hash: str,
    ) -> None:
        """Describes the component.

        Args:
            pushed_model: What is served, for the lineage.
            embeddings: Images of the dataset, embedded by the same model, with the reference split
                among them.
            logs: Files of the request log.
            fingerprint: Of these files; part of the cache key.
            model_folder: The served version.
            config: What counts as drift.
            code_hash: Digest of this component's code; part of the cache key.
        """
        super().__init__(
            DriftMonitorSpec(
                pushed_model=pushed_model,
                embeddings=embeddings,
                logs=json.dumps(list(logs)),
                fingerprint=fingerprint,
                model_folder=model_folder,
                config=json.dumps(dataclasses.asdict(config), sort_keys=True),
                code_hash=code_hash,
                report=tfx.dsl.Channel(type=DriftReport),
            )
        )
