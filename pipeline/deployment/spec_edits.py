"""What TFX's compiler leaves out of a pipeline spec, put in: each function changes one thing.

The compiler drops the defaults of runtime parameters, gives a pipeline with an exit handler tasks
that refer to parameters which their DAG does not have, ignores the resources of ExampleGens, and
caches all steps or none. So the DAG is compiled with constants, and the spec is edited.

A spec here is the JSON form of a `PipelineSpec` (kfp's `pipeline_spec.proto`), changed in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Spec = dict[str, Any]

# The component that holds all tasks but the exit handler; the name is TFX's.
INNER_DAG = "tfx-dag"


def tasks(spec: Spec) -> dict[str, Any]:
    """Returns the tasks of the pipeline proper, by name."""
    inner = spec["components"].get(INNER_DAG)
    return (inner or spec["root"])["dag"]["tasks"]


def containers(spec: Spec) -> dict[str, Any]:
    """Returns the container specs of all tasks that have one, the exit handler's too, by task."""
    executors = spec["deploymentSpec"]["executors"]
    all_tasks = {**tasks(spec), **spec["root"]["dag"]["tasks"]}
    found = {}
    for name, task in all_tasks.items():
        label = spec["components"][task["componentRef"]["name"]].get("executorLabel")
        if label and "container" in executors[label]:
            found[name] = executors[label]["container"]
    return found


def lift_parameter(spec: Spec, name: str, uses: Iterable[tuple[str, str]], meaning: str) -> None:
    """Makes constants of tasks into one runtime parameter, with the constant as its default.

    Args:
        spec: The spec.
        name: Of the parameter.
        uses: Tasks, and the names of their inputs, that have the same constant.
        meaning: What it is, for a person who fills it in.

    Raises:
        KeyError: A task or input that there is not, or that has no constant.
        ValueError: The constants differ.
    """
    values = []
    for task, key in uses:
        given = tasks(spec)[task]["inputs"]["parameters"]
        values.append(given[key]["runtimeValue"]["constant"])
        given[key] = {"componentInputParameter": name}
    if any(value != values[0] for value in values):
        raise ValueError(f"{name} would stand for different values: {values}")
    definition = {"parameterType": "STRING", "description": meaning}
    inner = spec["components"].get(INNER_DAG)
    if inner is not None:
        _parameters(inner)[name] = dict(definition)
        outer = spec["root"]["dag"]["tasks"][INNER_DAG]
        outer.setdefault("inputs", {}).setdefault("parameters", {})[name] = {
            "componentInputParameter": name
        }
    _parameters(spec["root"])[name] = {
        **definition,
        "defaultValue": values[0],
        "isOptional": True,
    }


def _parameters(component: Spec) -> dict[str, Any]:
    return component.setdefault("inputDefinitions", {}).setdefault("parameters", {})


def never_cache(spec: Spec, names: Iterable[str]) -> None:
    """Makes tasks run each time: those whose result depends on more than their inputs."""
    for name in names:
        tasks(spec)[name].pop("cachingOptions", None)


def set_resources(spec: Spec, resources: Mapping[str, Mapping[str, Any]]) -> None:
    """Sets what tasks run on.

    Args:
        spec: The spec.
        resources: `PipelineContainerSpec.ResourceSpec`s, by task; empty ones are left out.

    Raises:
        KeyError: A task that there is not, or that has no container.
    """
    known = containers(spec)
    for name, wanted in resources.items():
        if wanted:
            known[name]["resources"] = dict(wanted)


def replace_executor(spec: Spec, task: str, executor: str) -> None:
    """Makes a task run another executor class of the same interface, given by its dotted path."""
    arguments = containers(spec)[task]["args"]
    arguments[arguments.index("--executor_class_path") + 1] = executor


def drop_drivers(spec: Spec) -> None:
    """Removes what Vertex AI runs before it looks into its cache, and Kubeflow does not run."""
    for container in containers(spec).values():
        container.pop("lifecycle", None)


def keep_beam_arguments(spec: Spec, beam_args: Iterable[str], users: Iterable[str]) -> None:
    """Removes Beam's options from tasks that do not use Beam, where they only mislead."""
    given, keep = list(beam_args), set(users)
    for name, container in containers(spec).items():
        if name in keep:
            continue
        for holder in (container, container.get("lifecycle", {}).get("preCacheCheck", {})):
            if given and holder.get("args", [])[-len(given) :] == given:
                holder["args"] = holder["args"][: -len(given)]
