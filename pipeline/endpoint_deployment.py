"""Registering and deploying a pushed version, for `flowersim endpoint`."""

from __future__ import annotations

import argparse
import json
import pathlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.registry.endpoints import Endpoint
    from pipeline.registry.models import Registered
    from pipeline.registry.pushed_version import PushedVersion
    from pipeline.vertex_ai.clients import VertexPlace


def register(options: argparse.Namespace, place: VertexPlace) -> tuple[PushedVersion, Registered]:
    """Puts a pushed version into the registry, unless it is there.

    Args:
        options: Of `endpoint_command`: folder, model, image, staging and summary.
        place: Where.

    Raises:
        VertexError: Something in the options does not fit, or Vertex AI refuses.
    """
    from pipeline.registry.container import check_image, container_spec, is_own
    from pipeline.registry.models import summary_labels, upload
    from pipeline.registry.pushed_version import read_version, stage
    from pipeline.vertex_ai.clients import connect
    from pipeline.vertex_ai.errors import VertexError

    version = read_version(options.folder)
    image = check_image(options.image, version)
    labels = summary_labels(_summary(options.summary), version) if options.summary else {}
    artifacts = version.folder
    if not (is_own(image) and version.in_bucket):
        if not (options.staging or "").startswith("gs://"):
            reason = (
                "its image wants it in a folder that holds no other version"
                if version.in_bucket
                else "Vertex AI reads models from a bucket"
            )
            raise VertexError(
                f"{version.folder}: {reason}; give --staging gs://BUCKET/FOLDER to copy it there"
            )
        base = stage(version, options.staging, options.model)
        artifacts = f"{base}/{version.number}" if is_own(image) else base
    registered = upload(
        connect("Model", place),
        place,
        version,
        name=options.model,
        container=container_spec(image, options.model),
        artifacts=artifacts,
        labels=labels,
    )
    print(f"{'registered' if registered.uploaded else 'registered already'} as {registered.name}")
    return version, registered


def deploy(options: argparse.Namespace, place: VertexPlace) -> Endpoint:
    """Registers a pushed version, deploys it, and gives it its share of the traffic.

    Returns:
        The endpoint as it is then.

    Raises:
        VertexError: Vertex AI refuses; the traffic is where it was.
    """
    from pipeline.registry.endpoints import Machines, find_endpoint
    from pipeline.registry.traffic import canary
    from pipeline.vertex_ai.clients import connect
    from pipeline.vertex_ai.errors import VertexError

    low, high = options.min_replicas, options.max_replicas or options.min_replicas
    if high < low:
        raise VertexError(f"--max-replicas {high} is below --min-replicas {low}")
    machines = Machines(
        options.machine_type, low, high, options.accelerator, options.accelerator_count
    )
    version, registered = register(options, place)
    endpoint = find_endpoint(connect("Endpoint", place), place, options.endpoint, create=True)
    identity = registered.name.rpartition("/")[2]
    there = [one for one in endpoint.deployed if one.model.endswith(f"/{identity}")]
    if there:
        one = there[-1]
        print(f"deployed already on {endpoint.name}")
    else:
        print(f"deploying on {endpoint.name}; this takes some minutes", flush=True)
        one = endpoint.deploy(
            registered.name, version.number, options.model, machines, options.service_account
        )
    share = 100 if options.traffic is None else options.traffic
    wanted = canary(endpoint.split, one.id, share) if endpoint.split != {one.id: 100} else None
    if wanted and wanted != endpoint.split:
        endpoint.set_traffic(wanted)
    return endpoint


def _summary(path: str) -> dict[str, Any]:
    """What a run's summary holds, from a file or a bucket."""
    from pipeline.vertex_ai.errors import VertexError

    try:
        summary = json.loads(_text(path))
        if not isinstance(summary, dict):
            raise ValueError("it holds no mapping")
    except ValueError as error:
        raise VertexError(f"{path} is no summary of a run: {error}") from error
    return summary


def _text(path: str) -> str:
    from pipeline.vertex_ai.errors import VertexError

    if "://" not in path:
        return pathlib.Path(path).read_text("utf-8")
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path) as file:
            return file.read()
    except tf.errors.OpError as error:
        raise VertexError(f"{path} cannot be read: {error.message}") from error
