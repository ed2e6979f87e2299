"""Replaces placeholders, `{{$...}}`, by what they stand for when a task runs.

What may stand in them is what KFP documents (`kfp.dsl.placeholders`) and what TFX writes for
components with a container of their own.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.spec_executor.artifacts import local_path
from pipeline.spec_executor.errors import TaskError

_PLACEHOLDER = re.compile(r"\{\{\$(.*?)\}\}", re.DOTALL)
_STEP = re.compile(
    r"\.(\w+)|\[\s*'((?:[^'\\]|\\.)*)'\s*\]|\[\s*\"((?:[^\"\\]|\\.)*)\"\s*\]|\[(\d+)\]"
)
_STRUCTS = ('{"Concat":', '{"IfPresent":')


class AbsentError(TaskError):
    """A placeholder for an input that the task was not given."""


class Placeholders:
    """What placeholders stand for in one task."""

    def __init__(self, executor_input: Mapping[str, Any], job: Mapping[str, str]) -> None:
        """Knows all values.

        Args:
            executor_input: `ExecutorInput` in JSON.
            job: Values of the placeholders about the run, such as `pipeline_job_name`.
        """
        self._input = executor_input
        self._job = job

    def words(self, words: Sequence[str]) -> list[str]:
        """A command line: `Concat` and `IfPresent` become what is present of them."""
        result: list[str] = []
        for word in words:
            if word.startswith(_STRUCTS):
                result += [self.text(part) for part in _listed(self._struct(json.loads(word)))]
            else:
                result.append(self.text(word))
        return result

    def text(self, text: str) -> str:
        """A text with its placeholders replaced, once: values are not looked into."""
        return _PLACEHOLDER.sub(lambda match: _shown(self._value(match[0], match[1])), text)

    def _value(self, whole: str, path: str) -> Any:
        if not path:
            return json.dumps(self._input)
        steps = []
        at = 0
        for match in _STEP.finditer(path):
            if match.start() != at:
                break
            at = match.end()
            steps.append(next(group for group in match.groups() if group is not None))
        if at != len(path):
            raise TaskError(f"the placeholder {whole} cannot be understood")
        times = 0
        if len(steps) > 2 and steps[-2] == "json_escape":
            times = int(steps[-1])
            steps = steps[:-2]
        value = self._find(whole, steps)
        for _ in range(times):
            value = json.dumps(_shown(value))[1:-1]
        return value

    def _find(self, whole: str, steps: list[str]) -> Any:
        match steps:
            case ["inputs", "parameters", key]:
                return self._present(whole, self._input["inputs"]["parameterValues"], key)
            case ["inputs" | "outputs" as side, "artifacts", key, *rest]:
                there = self._present(whole, self._input[side]["artifacts"], key)["artifacts"]
                if not there:
                    raise AbsentError(f"{whole} stands for an artifact that is not there")
                return _of_artifact(whole, there[0], rest)
            case ["outputs", "parameters", key, "output_file" | "outputFile"]:
                return self._present(whole, self._input["outputs"]["parameters"], key)["outputFile"]
            case ["outputs", "output_file" | "outputFile"]:
                return self._input["outputs"]["outputFile"]
            case ["outputMetadataUri"] | ["outputs", "output_metadata_uri"]:
                return self._input["outputs"]["outputFile"]
            case [name] if name in self._job:
                return self._job[name]
        raise TaskError(f"the placeholder {whole} is not supported")

    def _present(self, whole: str, values: Mapping[str, Any], key: str) -> Any:
        if key not in values:
            raise AbsentError(f"{whole} stands for {key}, which the task does not have")
        return values[key]

    def _struct(self, struct: Any) -> Any:
        """A text, a list of them, or None."""
        match struct:
            case str():
                return struct
            case {"Concat": parts}:
                return "".join(self._struct(part) or "" for part in parts)
            case {"IfPresent": {"InputName": name, "Then": then, **other}}:
                inputs = self._input["inputs"]
                present = inputs["parameterValues"].get(name) is not None or bool(
                    inputs["artifacts"].get(name, {}).get("artifacts")
                )
                chosen = then if present else other.get("Else")
                if isinstance(chosen, list):
                    return [self._struct(part) for part in chosen]
                return None if chosen is None else self._struct(chosen)
        raise TaskError(f"the argument {json.dumps(struct)} cannot be understood")


def _listed(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if text is not None]


def _of_artifact(whole: str, artifact: Mapping[str, Any], rest: list[str]) -> Any:
    match rest:
        case ["uri" | "path" as field]:
            return local_path(artifact["uri"]) if field == "path" else artifact["uri"]
        case ["name"]:
            return artifact["name"]
        case ["metadata"]:
            return artifact["metadata"]
        case ["metadata", key]:
            if key in artifact["metadata"]:
                return artifact["metadata"][key]
            raise AbsentError(f"{whole} stands for metadata that the artifact does not have")
        case ["value"]:
            return _content(whole, local_path(artifact["uri"]))
    raise TaskError(f"the placeholder {whole} is not supported")


def _content(whole: str, path: str) -> str:
    """What a value's artifact holds: a file, or a folder with a file `value` in it."""
    file = os.path.join(path, "value") if os.path.isdir(path) else path
    try:
        with open(file, encoding="utf-8") as opened:
            return opened.read()
    except OSError as error:
        raise TaskError(f"{whole} stands for the content of a file: {error}") from None


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
