"""What came of a run: the result that callers get and that is kept beside the logs."""

from __future__ import annotations

import dataclasses
import enum
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from pipeline.spec_executor.artifacts import Artifact

RESULT_FILE = "result.json"


class State(enum.Enum):
    """States of runs and tasks, named as in `PipelineStateEnum.PipelineTaskState`."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    # Its condition did not hold, or what it needs was skipped.
    SKIPPED = "SKIPPED"
    # What it needs failed.
    NOT_TRIGGERED = "NOT_TRIGGERED"
    CANCELLED = "CANCELLED"


@dataclasses.dataclass
class TaskRun:
    """One task of a run.

    Attributes:
        name: Its path: the names of the tasks that it is in, and its own, joined by "/".
        state: How it ended.
        seconds: Wall time, waiting for others not included; 0 if it did not run.
        cached: Whether the results of an earlier task were taken.
        outputs: Artifacts by key.
        parameters: Output parameters by key.
        error: Why it failed, or None.
        log: What it printed, or None.
        is_dag: Whether it consists of further tasks.
    """

    name: str
    state: State
    seconds: float = 0.0
    cached: bool = False
    outputs: Mapping[str, tuple[Artifact, ...]] = dataclasses.field(default_factory=dict)
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    error: str | None = None
    log: pathlib.Path | None = None
    is_dag: bool = False

    def to_json(self) -> dict[str, Any]:
        """The task as JSON."""
        return {
            "name": self.name,
            "state": self.state.value,
            "seconds": round(self.seconds, 3),
            "cached": self.cached,
            "outputs": {
                key: [artifact.to_json() for artifact in artifacts]
                for key, artifacts in self.outputs.items()
            },
            "parameters": dict(self.parameters),
            "error": self.error,
            "log": str(self.log) if self.log else None,
        }


@dataclasses.dataclass
class Run:
    """A whole run.

    Attributes:
        id: Unique in the store.
        pipeline: The pipeline's name.
        state: How it ended.
        tasks: By path, in the order in which they ended.
        seconds: Wall time.
        root: Below which its artifacts lie.
        folder: Its logs and its result, in the store.
        parameters: Values of the pipeline's parameters.
        outputs: Artifacts that the pipeline itself gives.
        output_parameters: Parameters that the pipeline itself gives.
    """

    id: str
    pipeline: str
    state: State
    tasks: dict[str, TaskRun]
    seconds: float
    root: str
    folder: pathlib.Path
    parameters: Mapping[str, Any]
    outputs: Mapping[str, tuple[Artifact, ...]] = dataclasses.field(default_factory=dict)
    output_parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Whether all went well."""
        return self.state is State.SUCCEEDED

    def write(self) -> None:
        """Writes the result into the run's folder, whole or not at all."""
        document = {
            "id": self.id,
            "pipeline": self.pipeline,
            "state": self.state.value,
            "seconds": round(self.seconds, 3),
            "root": self.root,
            "parameters": dict(self.parameters),
            "output_parameters": dict(self.output_parameters),
            "tasks": [task.to_json() for task in self.tasks.values()],
        }
        file = self.folder / RESULT_FILE
        partial = file.with_name(f"{file.name}.partial")
        partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        os.replace(partial, file)
