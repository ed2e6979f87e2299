"""Reads the deployment files as the programs that they are for would."""

from __future__ import annotations

import pathlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "serving" / "deploy"
CONFIG = DEPLOY / "config"

SERVING_FLAGS = {
    line
    for line in pathlib.Path(__file__)
    .with_name("tensorflow_model_server_flags.txt")
    .read_text("utf-8")
    .splitlines()
    if not line.startswith("#")
}


def flag_names(flags: list[str]) -> set[str]:
    """Names of flags that are written --name=value."""
    names = set()
    for flag in flags:
        match = re.fullmatch(r"--(\w+)(=\S*)?", flag)
        assert match, f"{flag!r} is no flag"
        names.add(match[1])
    return names


def documents(path: pathlib.Path) -> list[dict[str, Any]]:
    """The YAML documents of a file."""
    return [d for d in yaml.safe_load_all(path.read_text("utf-8")) if d is not None]


def static_manifests() -> dict[tuple[str, str], dict[str, Any]]:
    """The base's objects by kind and name, as they lie in the folder."""
    found = {}
    for path in sorted((DEPLOY / "kubernetes" / "base").glob("*.yaml")):
        for document in documents(path):
            if document["kind"] != "Kustomization":
                found[document["kind"], document["metadata"]["name"]] = document
    return found


def rendered(folder: pathlib.Path) -> dict[str, dict[str, Any]]:
    """What kustomize makes of a folder, by kind; ConfigMaps by name."""
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl, for kustomize")
    result = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    objects = {}
    for document in yaml.safe_load_all(result.stdout):
        kind, name = document["kind"], document["metadata"]["name"]
        key = name if kind == "ConfigMap" else kind
        assert key not in objects
        objects[key] = document
    return objects


def compose(variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The compose file with its variables filled in: ${NAME:-default}, and $$ for a dollar."""
    given = dict(variables or {})

    def fill(text: str) -> str:
        def value(match: re.Match[str]) -> str:
            if match[0] == "$$":
                return "$"
            assert match["name"], f"a lone dollar in {text!r}"
            return given.get(match["name"]) or match["default"]

        return re.sub(r"\$(\$|\{(?P<name>\w+):-(?P<default>[^}]*)\}|)", value, text)

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: walk(item) for key, item in node.items()}
        if isinstance(node, list):
            return [walk(item) for item in node]
        return fill(node) if isinstance(node, str) else node

    (document,) = documents(DEPLOY / "compose.yaml")
    return walk(document)


def compose_flags(variables: Mapping[str, str] | None = None) -> list[str]:
    """The server's flags in it: a text, which compose splits as a shell does."""
    return shlex.split(compose(variables)["services"]["serving"]["command"])


def moved(flags: list[str], places: Mapping[str, pathlib.Path]) -> list[str]:
    """Flags whose paths are somewhere else, as if these were mounted."""
    for target, source in places.items():
        flags = [flag.replace(f"={target}/", f"={source}/") for flag in flags]
    return flags
