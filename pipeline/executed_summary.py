"""Sums up a pipeline of flowersim that `flowersim execute` ran, as a local run is summed up.

For other pipelines there is nothing to sum up here.
"""

from __future__ import annotations

import os
import pathlib
from typing import Any

from components.report.files import PAGE
from pipeline.lineage import Output
from pipeline.lineage import Run as RecordedRun
from pipeline.progress import Step
from pipeline.spec_executor.artifacts import is_remote, local_path
from pipeline.spec_executor.run import Run
from pipeline.spec_executor.spec import PipelineSpec
from pipeline.summary import build_summary, write_summary

# By these components a pipeline is known to be flowersim's.
_OURS = {"TfdsExampleGen", "Trainer", "Evaluator", "SimilarityIndexer", "Pusher"}


def summarise(
    run: Run, spec: PipelineSpec, *, preset: str
) -> tuple[dict[str, Any], pathlib.Path] | None:
    """Writes `summary.json` beside the run's result.

    Args:
        run: What came of it.
        spec: What was executed.
        preset: Name for the summary.

    Returns:
        Its content and the file; None if the pipeline is another one, or its artifacts are in a
        bucket.
    """
    tasks = {name.rsplit("/", 1)[-1]: task for name, task in run.tasks.items() if not task.is_dag}
    if not set(tasks) >= _OURS or is_remote(run.root):
        return None
    failed = [f"{name} failed: {task.error}" for name, task in tasks.items() if task.error]
    outputs = {
        (name, key): Output(local_path(artifacts[-1].uri), dict(artifacts[-1].metadata))
        for name, task in tasks.items()
        for key, artifacts in task.outputs.items()
        if artifacts
    }
    summary = build_summary(
        about={"name": run.folder.name},
        preset=preset,
        status=run.state.value.lower(),
        steps=[
            Step(name, task.seconds, task.cached)
            for name, task in tasks.items()
            if task.outputs or task.error
        ],
        run=RecordedRun(run.id, outputs),
        split_sizes={},
        seconds=run.seconds,
        leave_out="left_out" in spec.components["Evaluator"].inputs.artifacts,
        error="; ".join(failed) or None,
    )
    report = outputs.get(("Report", "report"))
    summary["report"] = os.path.join(report.uri, PAGE) if report else None
    return summary, write_summary(run.folder, summary)
