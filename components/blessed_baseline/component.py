"""The BlessedBaseline component: a container step in the place of a resolver.

Kubeflow Pipelines executes containers and importers only; a resolver makes it refuse a pipeline.
"""

from __future__ import annotations

from typing import Any

from absl import logging
from tfx import v1 as tfx
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, component_spec

from components.blessed_baseline.record import FOUND_KEY, RECORD_KEY, last_blessed


class Executor(base_executor.BaseExecutor):
    """Looks the model up."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Makes the output the model last blessed, or says that there is none."""
        del input_dict
        record = exec_properties["record"]
        model = artifact_utils.get_single_instance(output_dict["model"])
        found = last_blessed(record)
        if found:
            model.uri = found
        model.set_string_custom_property(RECORD_KEY, record)
        model.set_int_custom_property(FOUND_KEY, int(found is not None))
        logging.info("Baseline: %s.", found or "no model was blessed yet")


class BlessedBaselineSpec(component_spec.ComponentSpec):
    """Execution properties and channels of `BlessedBaseline`."""

    PARAMETERS = {"record": component_spec.ExecutionParameter(type=str)}
    INPUTS: dict[str, Any] = {}
    OUTPUTS = {"model": component_spec.ChannelParameter(type=tfx.types.standard_artifacts.Model)}


class BlessedBaseline(base_component.BaseComponent):
    """Gives the model last blessed to a `RetrievalEvaluator`, which remembers the next one.

    Its result must not be cached: what was blessed last is no matter of its inputs.

    Outputs:
        model: The model; a custom property says whether there is one.
    """

    SPEC_CLASS = BlessedBaselineSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, record: str) -> None:
        """Describes the component.

        Args:
            record: The file that remembers; a local path or a bucket URL.
        """
        super().__init__(
            BlessedBaselineSpec(
                record=record,
                model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
            )
        )
