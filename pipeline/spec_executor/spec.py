"""A pipeline spec as typed, frozen values: what the rest of the package works with.

Not the reading of files or the checks of a whole spec; those are in `loader.py` and `graph.py`.
Names follow the official proto (`kfp.pipeline_spec.pipeline_spec_pb2`).
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import re
from collections.abc import Mapping
from typing import Any

_TITLE = re.compile(r"^title:\s*(\S.*?)\s*$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class ArtifactType:
    """The type of an artifact.

    Attributes:
        kind: The field that says it: `schemaTitle`, `instanceSchema` or `schemaUri`.
        text: What that field has.
        version: The schema's version, or "".
    """

    kind: str
    text: str
    version: str = ""

    @functools.cached_property
    def title(self) -> str:
        """The schema's title, such as `tfx.Model`; what resolvers ask for."""
        if self.kind != "instanceSchema":
            return self.text
        match = _TITLE.search(self.text)
        return match[1].strip("'\"") if match else ""

    def to_json(self) -> dict[str, str]:
        """The type as `ArtifactTypeSchema` in JSON."""
        return {self.kind: self.text, **({"schemaVersion": self.version} if self.version else {})}


@dataclasses.dataclass(frozen=True)
class ParameterDefinition:
    """A parameter that a component takes or gives.

    Attributes:
        type: A name of `ParameterType.ParameterTypeEnum`.
        default: The value where none is given, or None.
        optional: Whether it may be left out altogether.
        legacy: Whether the spec declares it in the manner of schema version 2.0.
    """

    type: str
    default: Any = None
    optional: bool = False
    legacy: bool = False


@dataclasses.dataclass(frozen=True)
class ArtifactDefinition:
    """An artifact that a component takes or gives.

    Attributes:
        type: Its type.
        is_list: Whether there may be any number of them.
        optional: Whether it may be left out.
        metadata: What an output has from the beginning.
    """

    type: ArtifactType
    is_list: bool = False
    optional: bool = False
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Interface:
    """What a component takes, or what it gives."""

    parameters: Mapping[str, ParameterDefinition]
    artifacts: Mapping[str, ArtifactDefinition]


@dataclasses.dataclass(frozen=True)
class Constant:
    """A value that the spec itself has."""

    value: Any


@dataclasses.dataclass(frozen=True)
class ComponentInput:
    """An input of the component whose DAG the task is in."""

    name: str


@dataclasses.dataclass(frozen=True)
class TaskOutput:
    """An output of another task of the same DAG."""

    task: str
    key: str


@dataclasses.dataclass(frozen=True)
class FinalStatus:
    """How another task of the same DAG ended, as `PipelineTaskFinalStatus` in JSON."""

    task: str


Source = Constant | ComponentInput | TaskOutput | FinalStatus


class Trigger(enum.Enum):
    """When a task is due."""

    ALL_SUCCEEDED = "ALL_UPSTREAM_TASKS_SUCCEEDED"
    ALL_COMPLETED = "ALL_UPSTREAM_TASKS_COMPLETED"


@dataclasses.dataclass(frozen=True)
class Retry:
    """How often a task is tried again after a failure, and after how many seconds."""

    count: int = 0
    delay: float = 0.0
    factor: float = 2.0
    max_delay: float = 3600.0


@dataclasses.dataclass(frozen=True)
class Task:
    """A node of a DAG.

    Attributes:
        name: Unique in its DAG.
        component: Name of the component that it runs.
        parameters: Where its parameters come from.
        artifacts: Where its artifacts come from.
        after: Tasks that it names as upstream, beside those that it takes outputs of.
        condition: A CEL expression, or "".
        trigger: When it is due.
        cache: Whether results of an equal task may be taken.
        cache_key: A key of the author's own, or "".
        retry: What happens after a failure.
    """

    name: str
    component: str
    parameters: Mapping[str, Source]
    artifacts: Mapping[str, Source]
    after: tuple[str, ...] = ()
    condition: str = ""
    trigger: Trigger = Trigger.ALL_SUCCEEDED
    cache: bool = False
    cache_key: str = ""
    retry: Retry = Retry()

    @property
    def upstream(self) -> frozenset[str]:
        """The tasks that must be over before it."""
        sources = (*self.parameters.values(), *self.artifacts.values())
        named = {s.task for s in sources if isinstance(s, TaskOutput | FinalStatus)}
        return frozenset(named | set(self.after))


@dataclasses.dataclass(frozen=True)
class Exec:
    """A command with placeholders."""

    command: tuple[str, ...]
    args: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ContainerExecutor:
    """Runs a command in a container's image."""

    image: str
    run: Exec
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    pre_cache_check: Exec | None = None


@dataclasses.dataclass(frozen=True)
class ImporterExecutor:
    """Registers an artifact that is there already."""

    uri: Source
    type: ArtifactType
    metadata: Mapping[str, Any]
    reimport: bool


@dataclasses.dataclass(frozen=True)
class ResolverExecutor:
    """Looks for earlier artifacts: by output key the filter, and how many at most."""

    queries: Mapping[str, tuple[str, int]]


Executor = ContainerExecutor | ImporterExecutor | ResolverExecutor


@dataclasses.dataclass(frozen=True)
class Dag:
    """Tasks, and which of their outputs are the DAG's own: the first that is there counts."""

    tasks: Mapping[str, Task]
    artifacts: Mapping[str, tuple[TaskOutput, ...]]
    parameters: Mapping[str, tuple[TaskOutput, ...]]


@dataclasses.dataclass(frozen=True)
class Component:
    """What tasks run: one executor, or a DAG of further tasks.

    Attributes:
        name: Unique in the spec.
        inputs: What it takes.
        outputs: What it gives.
        implementation: What it does.
        fingerprint: Text that changes when the component's interface does.
    """

    name: str
    inputs: Interface
    outputs: Interface
    implementation: Executor | Dag
    fingerprint: str


@dataclasses.dataclass(frozen=True)
class PipelineSpec:
    """A whole spec.

    Attributes:
        source: The file that it came from, for messages.
        name: The pipeline's name.
        root: The component whose DAG is the pipeline.
        components: All others by name.
        values: Parameter values of the job's runtime configuration.
        pipeline_root: Where the spec wants artifacts to go, or "".
    """

    source: str
    name: str
    root: Component
    components: Mapping[str, Component]
    values: Mapping[str, Any]
    pipeline_root: str
