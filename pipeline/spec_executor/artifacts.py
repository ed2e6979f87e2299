"""Artifacts and values while a pipeline runs, and where on disk the artifacts lie."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from pipeline.spec_executor.spec import ArtifactType

# As resource names of Vertex AI's metadata store, of a project that is this machine.
NAMES = "projects/local/locations/local/metadataStores/default/artifacts"


@dataclasses.dataclass(frozen=True)
class Artifact:
    """Something that a task made, found or was given.

    Attributes:
        name: Unique in the store, like a resource's name.
        type: Its type.
        uri: Where its content lies.
        metadata: Properties by name: JSON values.
    """

    name: str
    type: ArtifactType
    uri: str
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The artifact as `RuntimeArtifact` in JSON."""
        return {
            "name": self.name,
            "type": self.type.to_json(),
            "uri": self.uri,
            "metadata": dict(self.metadata),
        }


@dataclasses.dataclass(frozen=True)
class Values:
    """The inputs or the outputs of a task: parameters and lists of artifacts by key."""

    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    artifacts: Mapping[str, tuple[Artifact, ...]] = dataclasses.field(default_factory=dict)


def is_remote(uri: str) -> bool:
    """Whether a URI points into a bucket or the like, which nothing here can look into."""
    return "://" in uri and not uri.startswith("file://")


def local_path(uri: str) -> str:
    """The path of a URI on this machine."""
    return uri.removeprefix("file://")


def is_there(uri: str) -> bool:
    """Whether there is something at a local URI; remote ones are trusted."""
    return is_remote(uri) or os.path.exists(local_path(uri))


def absolute_root(root: str) -> str:
    """A pipeline root below which URIs are the same in every working directory."""
    return root.rstrip("/") if is_remote(root) else os.path.abspath(local_path(root))


def plain(value: Any) -> Any:
    """A JSON value whose whole numbers are ints: protos know doubles only, and JSON shows it."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value
