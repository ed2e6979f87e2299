"""The OutcomeReport component, which runs after all others, whatever became of them."""

from __future__ import annotations

from typing import Any

from absl import logging
from tfx import v1 as tfx
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import component_spec

from components.outcome_report import report


class Executor(base_executor.BaseExecutor):
    """Writes and posts the outcome."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Reports what the platform says of the run."""
        del input_dict, output_dict
        status = report.read_status(exec_properties["final_status"])
        found = report.outcome(status, exec_properties["serving"])
        path = report.write(found, exec_properties["folder"])
        logging.info("The run's outcome: %s (%s).", found["state"], path)
        if url := exec_properties.get("notify_url"):
            report.post(found, url)


class OutcomeReportSpec(component_spec.ComponentSpec):
    """Execution properties of `OutcomeReport`."""

    PARAMETERS = {
        "final_status": component_spec.ExecutionParameter(type=str),
        "serving": component_spec.ExecutionParameter(type=str),
        "folder": component_spec.ExecutionParameter(type=str),
        "notify_url": component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS: dict[str, Any] = {}
    OUTPUTS: dict[str, Any] = {}


class OutcomeReport(base_component.BaseComponent):
    """Reports how a run ended; an exit handler of KubeflowV2DagRunner."""

    SPEC_CLASS = OutcomeReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, serving: str, folder: str, notify_url: str | None = None) -> None:
        """Describes the component.

        Args:
            serving: Folder of the served versions; a local path or a bucket URL.
            folder: Where a file is written for each run; likewise.
            notify_url: Where the outcome is posted to as JSON; None for nowhere.
        """
        super().__init__(
            OutcomeReportSpec(
                final_status=tfx.orchestration.experimental.FinalStatusStr(),
                serving=serving,
                folder=folder,
                notify_url=notify_url,
            )
        )
