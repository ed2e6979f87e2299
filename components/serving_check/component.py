"""The ServingCheck component: its inputs, output and configuration."""

from __future__ import annotations

import dataclasses
import json

from tfx import v1 as tfx
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec

from components.serving_check.config import ServingCheckConfig
from components.serving_check.executor import Executor


class ServingCheckSpec(component_spec.ComponentSpec):
    """Execution properties and channels of `ServingCheck`."""

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
        "blessing": component_spec.ChannelParameter(
            type=tfx.types.standard_artifacts.InfraBlessing
        ),
    }


class ServingCheck(base_component.BaseComponent):
    """Serves a model in a process of its own, asks it about real photos, and blesses it or not.

    What TFX's InfraValidator does, without a container engine: it works wherever the executor runs.
    The model must load, answer over REST what it answers directly, refuse bad photos, and keep the
    limits of latency and memory.

    Outputs:
        blessing: An InfraBlessing as InfraValidator writes it. A blessed one holds the model with
            warm-up records, and a Pusher takes it from there; each holds a report (`report.py`) and
            the server's log.
    """

    SPEC_CLASS = ServingCheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: tfx.dsl.Channel,
        model: tfx.dsl.Channel,
        config: ServingCheckConfig,
        code_hash: str,
    ) -> None:
        """Describes the component.

        Args:
            examples: Raw examples, with the splits of the gallery among them.
            model: The SavedModel to serve.
            config: What is asked, and the limits.
            code_hash: Digest of this component's and the server's code; part of the cache key.
        """
        super().__init__(
            ServingCheckSpec(
                examples=examples,
                model=model,
                config=json.dumps(dataclasses.asdict(config), sort_keys=True),
                code_hash=code_hash,
                blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.InfraBlessing),
            )
        )
