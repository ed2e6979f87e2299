"""The key under which a task's results may be taken again.

Equal keys mean: the same interface, the same command in the same image, the same values and
artifacts, and, where the container has a check before caching, the same findings of it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json

from pipeline.spec_executor.artifacts import Artifact, Values
from pipeline.spec_executor.spec import Component, ContainerExecutor, Task


def cache_key(
    pipeline: str, task: Task, component: Component, inputs: Values, outputs: Values
) -> str:
    """Computes the key.

    Args:
        pipeline: The pipeline's name: other pipelines' results are not taken.
        task: The task; a key of the author's own takes the place of all but the component.
        component: What it runs, with a container as its executor.
        inputs: All that it is given.
        outputs: What is known of its outputs before it runs: the findings of its check.

    Returns:
        A hexadecimal digest.
    """
    container = component.implementation
    assert isinstance(container, ContainerExecutor)
    parts: list[object] = [pipeline, component.fingerprint]
    if task.cache_key:
        parts.append(task.cache_key)
    else:
        parts += [
            dataclasses.asdict(container),
            dict(inputs.parameters),
            {key: [_identity(a) for a in given] for key, given in inputs.artifacts.items()},
            {key: [dict(a.metadata) for a in made] for key, made in outputs.artifacts.items()},
        ]
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _identity(artifact: Artifact) -> list[str]:
    return [artifact.name, artifact.uri]
