"""Builds small pipeline specs whose containers are shell commands."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.spec_executor.loader import load_spec
from pipeline.spec_executor.spec import PipelineSpec


@dataclasses.dataclass(frozen=True)
class Out:
    """An output of another task."""

    task: str
    key: str


@dataclasses.dataclass(frozen=True)
class In:
    """An input of the DAG."""

    name: str


@dataclasses.dataclass(frozen=True)
class Status:
    """The final status of another task."""

    task: str


def typed(title: str = "system.Artifact") -> dict[str, Any]:
    return {"artifactType": {"schemaTitle": title}}


def interface(parameters: Mapping[str, Any], artifacts: Sequence[str]) -> dict[str, Any]:
    """Definitions; a parameter is given by its type, or by the whole definition."""
    return {
        "parameters": {
            name: {"parameterType": kind} if isinstance(kind, str) else kind
            for name, kind in parameters.items()
        },
        "artifacts": {name: typed() for name in artifacts},
    }


class Spec:
    """A spec in the making."""

    def __init__(self, name: str = "toy", parameters: Mapping[str, Any] | None = None) -> None:
        self.document: dict[str, Any] = {
            "pipelineInfo": {"name": name},
            "schemaVersion": "2.1.0",
            "components": {},
            "deploymentSpec": {"executors": {}},
            "root": {"dag": {"tasks": {}}, "inputDefinitions": interface(parameters or {}, [])},
        }
        self.values: dict[str, Any] = {}

    def executor(self, name: str, executor: Mapping[str, Any], **faces: Any) -> None:
        """A component with any executor."""
        self.document["components"][name] = {
            "executorLabel": f"{name}_executor",
            "inputDefinitions": interface(faces.get("parameters", {}), faces.get("artifacts", [])),
            "outputDefinitions": interface(faces.get("gives", {}), faces.get("makes", [])),
        }
        self.document["deploymentSpec"]["executors"][f"{name}_executor"] = dict(executor)

    def shell(self, name: str, script: str, *args: str, **faces: Any) -> None:
        """A component whose container runs a shell script with the arguments `$1`, `$2`, …"""
        more = {key: faces.pop(key) for key in ("env", "lifecycle") if key in faces}
        container = {"image": "image", "command": ["sh", "-ec", script, "sh"], "args": list(args)}
        self.executor(name, {"container": {**container, **more}}, **faces)

    def dag(self, name: str, **faces: Any) -> dict[str, Any]:
        """A component that is a DAG; gives its tasks."""
        self.document["components"][name] = {
            "dag": {"tasks": {}, "outputs": faces.get("outputs", {})},
            "inputDefinitions": interface(faces.get("parameters", {}), faces.get("artifacts", [])),
            "outputDefinitions": interface(faces.get("gives", {}), faces.get("makes", [])),
        }
        return self.document["components"][name]["dag"]["tasks"]

    @property
    def tasks(self) -> dict[str, Any]:
        """The tasks of the pipeline itself."""
        return self.document["root"]["dag"]["tasks"]

    def task(
        self,
        name: str,
        component: str | None = None,
        *,
        of: dict[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        artifacts: Mapping[str, Out | In] | None = None,
        after: Sequence[str] = (),
        condition: str = "",
        completed: bool = False,
        cache: bool = True,
        **more: Any,
    ) -> None:
        """A task, of the pipeline itself or `of` the tasks of a DAG."""
        policy: dict[str, Any] = {"condition": condition} if condition else {}
        if completed:
            policy["strategy"] = "ALL_UPSTREAM_TASKS_COMPLETED"
        tasks = self.tasks if of is None else of
        tasks[name] = {
            "taskInfo": {"name": name},
            "componentRef": {"name": component or name},
            "cachingOptions": {"enableCache": cache},
            "dependentTasks": list(after),
            "triggerPolicy": policy,
            "inputs": {
                "parameters": {key: _parameter(v) for key, v in (parameters or {}).items()},
                "artifacts": {key: _artifact(v) for key, v in (artifacts or {}).items()},
            },
            **more,
        }

    def write(self, folder: pathlib.Path) -> pathlib.Path:
        """Writes it as a PipelineJob."""
        file = folder / "spec.json"
        job = {"pipelineSpec": self.document, "runtimeConfig": {"parameterValues": self.values}}
        file.write_text(json.dumps(job), encoding="utf-8")
        return file

    def load(self, folder: pathlib.Path) -> PipelineSpec:
        """Writes and loads it."""
        return load_spec(self.write(folder))


def _parameter(value: Any) -> dict[str, Any]:
    match value:
        case Out(task, key):
            return {"taskOutputParameter": {"producerTask": task, "outputParameterKey": key}}
        case In(name):
            return {"componentInputParameter": name}
        case Status(task):
            return {"taskFinalStatus": {"producerTask": task}}
    return {"runtimeValue": {"constant": value}}


def _artifact(value: Out | In) -> dict[str, Any]:
    if isinstance(value, Out):
        return {"taskOutputArtifact": {"producerTask": value.task, "outputArtifactKey": value.key}}
    return {"componentInputArtifact": value.name}
