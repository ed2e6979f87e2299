"""Checks that a spec is consistent before anything runs: no cycle, no reference to nothing."""

from __future__ import annotations

import graphlib

from pipeline.spec_executor.errors import SpecError
from pipeline.spec_executor.spec import (
    Component,
    ComponentInput,
    Dag,
    FinalStatus,
    ImporterExecutor,
    PipelineSpec,
    Source,
    Task,
    TaskOutput,
)


def check(spec: PipelineSpec) -> None:
    """Looks at every component that the root leads to.

    Args:
        spec: A whole spec.

    Raises:
        SpecError: The message names the file, the DAG, and what is wrong with it.
    """
    if not isinstance(spec.root.implementation, Dag):
        raise SpecError(f"{spec.source}: root has no DAG")
    _check_component(spec, spec.root, ())


def _check_component(spec: PipelineSpec, component: Component, above: tuple[str, ...]) -> None:
    if component.name in above:
        loop = " → ".join([*above, component.name])
        raise SpecError(f"{spec.source}: component {component.name} contains itself: {loop}")
    implementation = component.implementation
    if isinstance(implementation, ImporterExecutor):
        _check_importer(spec, component, implementation)
    if not isinstance(implementation, Dag):
        return
    for task in implementation.tasks.values():
        _check_task(spec, component, implementation, task)
    for kind, outputs in (
        ("parameters", implementation.parameters),
        ("artifacts", implementation.artifacts),
    ):
        for key, selectors in outputs.items():
            for source in selectors:
                place = f"{spec.source}: output {key} of {component.name}"
                _check_output(spec, implementation, kind, source, place)
    _check_order(spec, component, implementation)
    for task in implementation.tasks.values():
        _check_component(spec, spec.components[task.component], (*above, component.name))


def _check_importer(spec: PipelineSpec, component: Component, executor: ImporterExecutor) -> None:
    uri = executor.uri
    if isinstance(uri, ComponentInput) and uri.name not in component.inputs.parameters:
        raise SpecError(
            f"{spec.source}: the importer {component.name} takes its URI from the parameter "
            f"{uri.name}, which it has not"
        )
    if len(component.outputs.artifacts) != 1:
        raise SpecError(f"{spec.source}: the importer {component.name} must have one output")


def _check_task(spec: PipelineSpec, component: Component, dag: Dag, task: Task) -> None:
    place = f"{spec.source}: task {task.name} of {component.name}"
    if task.component not in spec.components:
        raise SpecError(f"{place} runs the component {task.component!r}, which is not there")
    for name in sorted(task.upstream):
        if name not in dag.tasks:
            raise SpecError(
                f"{place} comes after the task {name!r}, which is not there; there are "
                + ", ".join(sorted(dag.tasks))
            )
    for kind, sources in (("parameters", task.parameters), ("artifacts", task.artifacts)):
        for key, source in sources.items():
            _check_source(spec, component, dag, kind, source, f"{place}, input {key}")
    for key, definition in spec.components[task.component].inputs.parameters.items():
        given = key in task.parameters or definition.default is not None or definition.optional
        if not given:
            raise SpecError(f"{place} gives {task.component} no value of its parameter {key}")


def _check_source(
    spec: PipelineSpec, component: Component, dag: Dag, kind: str, source: Source, place: str
) -> None:
    if isinstance(source, ComponentInput):
        there = getattr(component.inputs, kind)
        if source.name not in there:
            raise SpecError(
                f"{place} is the input {source.name!r} of {component.name}, which is not there; "
                f"there are {', '.join(sorted(there)) or 'none'}"
            )
    elif isinstance(source, TaskOutput):
        _check_output(spec, dag, kind, source, place)
    elif isinstance(source, FinalStatus) and source.task not in dag.tasks:
        raise SpecError(f"{place} is the status of {source.task!r}, which is not there")


def _check_output(spec: PipelineSpec, dag: Dag, kind: str, source: TaskOutput, place: str) -> None:
    if source.task not in dag.tasks:
        raise SpecError(f"{place} comes from the task {source.task!r}, which is not there")
    name = dag.tasks[source.task].component
    if name not in spec.components:
        raise SpecError(f"{place} comes from {source.task}, whose component {name!r} is not there")
    there = getattr(spec.components[name].outputs, kind)
    if source.key not in there:
        raise SpecError(
            f"{place} is the output {source.key!r} of {source.task}, which is not there; there are "
            f"{', '.join(sorted(there)) or 'none'}"
        )


def _check_order(spec: PipelineSpec, component: Component, dag: Dag) -> None:
    try:
        graphlib.TopologicalSorter({t.name: t.upstream for t in dag.tasks.values()}).prepare()
    except graphlib.CycleError as error:
        raise SpecError(
            f"{spec.source}: tasks of {component.name} wait for each other: "
            + " → ".join(reversed(error.args[1]))
        ) from None
