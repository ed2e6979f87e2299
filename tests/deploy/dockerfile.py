"""Reads a Dockerfile: its stages, and their instructions with all variables filled in.

Of the language only what the project's Dockerfiles use; anything else raises ValueError, so that
nothing is tested that docker would read in another way.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import shlex
from collections.abc import Mapping

KNOWN = {"ARG", "COPY", "ENTRYPOINT", "ENV", "FROM", "LABEL", "RUN", "USER", "WORKDIR"}
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclasses.dataclass(frozen=True)
class Copy:
    """COPY: sources, from a stage or from the context, and a target."""

    sources: tuple[str, ...]
    target: str
    stage: str | None


@dataclasses.dataclass
class Stage:
    """One FROM and what follows it.

    Attributes:
        name: What AS says, or the stage's number.
        base: A stage before it, or an image.
        steps: `("RUN", command)` and `("COPY", Copy)` with the folder, variables and user that they
            have, in order.
        environment: Variables at its end.
        build_arguments: Those of ARG, which RUN sees and containers do not.
    """

    name: str
    base: str
    steps: list[tuple[str, str | Copy, str, dict[str, str]]] = dataclasses.field(
        default_factory=list
    )
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    build_arguments: dict[str, str] = dataclasses.field(default_factory=dict)
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    user: str = "root"
    folder: str = "/"
    entrypoint: list[str] = dataclasses.field(default_factory=list)


def read(path: pathlib.Path, arguments: Mapping[str, str] | None = None) -> dict[str, Stage]:
    """Returns the stages by name, in order.

    Args:
        path: The Dockerfile.
        arguments: What `--build-arg` would say.

    Raises:
        ValueError: An instruction or variable that is not known.
    """
    given = dict(arguments or {})
    outer: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for keyword, rest in _instructions(path.read_text("utf-8")):
        if keyword not in KNOWN:
            raise ValueError(f"{path}: {keyword} is not known here")
        if keyword == "FROM":
            words = _fill(rest, outer).split()
            name = words[2] if len(words) == 3 and words[1] == "AS" else str(len(stages))
            stage = _begin(stages, name, words[0])
            stages[name] = stage
        elif stage is None:
            if keyword != "ARG":
                raise ValueError(f"{path}: {keyword} before FROM")
            name, _, default = rest.partition("=")
            outer[name] = given.get(name, default)
        else:
            _add(stage, keyword, rest, given)
    return stages


def _begin(stages: Mapping[str, Stage], name: str, base: str) -> Stage:
    if base not in stages:
        return Stage(name, base)
    parent = stages[base]
    return Stage(
        name,
        base,
        environment=dict(parent.environment),
        labels=dict(parent.labels),
        user=parent.user,
        folder=parent.folder,
        entrypoint=list(parent.entrypoint),
    )


def _add(stage: Stage, keyword: str, rest: str, given: Mapping[str, str]) -> None:
    variables = stage.build_arguments | stage.environment
    if keyword == "ARG":
        name, _, default = rest.partition("=")
        stage.build_arguments[name] = given.get(name, default)
    elif keyword in ("ENV", "LABEL"):
        pairs = [word.partition("=") for word in shlex.split(rest)]
        if not all(equals for _, equals, _ in pairs):
            raise ValueError(f"{keyword} {rest}: not NAME=VALUE")
        target = stage.environment if keyword == "ENV" else stage.labels
        target |= {name: _fill(value, variables) for name, _, value in pairs}
    elif keyword == "RUN":
        # The shell fills in the variables.
        stage.steps.append(("RUN", rest, stage.folder, dict(variables)))
    elif keyword == "COPY":
        words = _fill(rest, variables).split()
        origin = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else None
        if any(word.startswith("--") for word in words):
            raise ValueError(f"COPY {rest}: an option that is not known here")
        copy = Copy(tuple(words[:-1]), words[-1], origin)
        stage.steps.append(("COPY", copy, stage.folder, {}))
    elif keyword == "USER":
        stage.user = rest
    elif keyword == "WORKDIR":
        stage.folder = str(pathlib.PurePosixPath(stage.folder, rest))
    else:
        stage.entrypoint = json.loads(rest)


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n", "", "\n".join(lines))
    pairs = (line.split(None, 1) for line in whole.splitlines() if line.strip())
    return [(keyword, rest.strip()) for keyword, rest in pairs]


def _fill(text: str, variables: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in variables:
            raise ValueError(f"${name} is not set in {text!r}")
        return variables[name]

    return _VARIABLE.sub(value, text)
