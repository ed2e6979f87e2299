"""Models in Vertex AI's Model Registry: one resource a name, one version of it a pushed version.

`client` is a `google.cloud.aiplatform_v1.ModelServiceClient`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pipeline.registry.pushed_version import PushedVersion
from pipeline.vertex_ai.clients import CALL_TIMEOUT, VertexPlace
from pipeline.vertex_ai.errors import VertexError, explained
from pipeline.vertex_ai.operations import finished

# The number that a version's folder has.
PUSHED_LABEL = "flowersim_version"
_UPLOAD_TIMEOUT = 1800.0
_METRICS = ("recall_at_1", "map_at_r")


@dataclasses.dataclass(frozen=True)
class Registered:
    """A version in the registry; `name` is `projects/…/models/ID@VERSION`."""

    name: str
    uploaded: bool


def upload(
    client: Any,
    place: VertexPlace,
    version: PushedVersion,
    *,
    name: str,
    container: Any,
    artifacts: str,
    labels: Mapping[str, str],
) -> Registered:
    """Registers a pushed version, unless it is there already.

    Args:
        client: Of the models.
        place: Where.
        version: What was pushed.
        name: Display name of the model; that of a model which is there gets a new version.
        container: Its `ModelContainerSpec`.
        artifacts: Folder in a bucket that the container gets.
        labels: What else is known of the version, see `summary_labels`.

    Raises:
        VertexError: The service refuses, or several models have the name.
    """
    from google.cloud.aiplatform_v1 import types

    parent = _model_named(client, place, name)
    if parent:
        known = _version_of(client, parent, version.number)
        if known:
            return Registered(known, uploaded=False)
    model = types.Model(
        display_name=name,
        artifact_uri=artifacts,
        container_spec=container,
        labels={PUSHED_LABEL: str(version.number), **labels},
        version_aliases=[_alias(version.number)],
    )
    request = types.UploadModelRequest(parent=place.parent, parent_model=parent, model=model)
    done = finished(
        f"upload {version.folder} as model {name}",
        lambda: client.upload_model(request, timeout=CALL_TIMEOUT),
        timeout=_UPLOAD_TIMEOUT,
    )
    return Registered(f"{done.model}@{done.model_version_id}", uploaded=True)


def summary_labels(summary: Mapping[str, Any], version: PushedVersion) -> dict[str, str]:
    """Returns labels with what a run's `summary.json` says of a version.

    Raises:
        VertexError: The summary is of another version, or did not bless it.
    """
    pushed = str(summary.get("pushed_model") or "").rstrip("/").rpartition("/")[2]
    if not summary.get("blessed") or pushed != str(version.number):
        told = f"of version {pushed}" if pushed else "of a run that pushed nothing"
        raise VertexError(f"the summary is {told}, not of the blessed version {version.number}")
    labels = {"blessed": "true"}
    for split, values in summary.get("metrics", {}).items():
        for metric in _METRICS:
            if isinstance(values, Mapping) and isinstance(values.get(metric), float):
                # Values of labels have no point.
                value = f"{values[metric]:.4f}".replace(".", "_")
                labels[f"{split}_{metric}".lower()] = value
    return labels


def _model_named(client: Any, place: VertexPlace, name: str) -> str:
    """The model that is called so, or nothing."""
    from google.cloud.aiplatform_v1.types import ListModelsRequest

    listing = ListModelsRequest(parent=place.parent, filter=f'display_name="{name}"')
    with explained(f"look for model {name} in {place.parent}"):
        found = [model.name for model in client.list_models(listing, timeout=CALL_TIMEOUT)]
    if len(found) > 1:
        raise VertexError(f"several models are called {name}: {', '.join(found)}; rename one")
    # A name may come with the version that is the default.
    return found[0].partition("@")[0] if found else ""


def _version_of(client: Any, model: str, number: int) -> str | None:
    """The registered version of a pushed one."""
    with explained(f"list the versions of {model}"):
        for one in client.list_model_versions(name=model, timeout=CALL_TIMEOUT):
            if _alias(number) in one.version_aliases:
                return f"{model}@{one.version_id}"
    return None


def _alias(number: int) -> str:
    """What a registered version is also called, and no other of its model."""
    return f"v{number}"
