"""Executes one task of any kind but a DAG, and records it in the store."""

from __future__ import annotations

import time
from typing import Any

from pipeline.spec_executor.artifacts import NAMES, Artifact, Values, is_there
from pipeline.spec_executor.container import ContainerTask
from pipeline.spec_executor.context import Context
from pipeline.spec_executor.errors import CancelledError, TaskError
from pipeline.spec_executor.executor_io import executor_input
from pipeline.spec_executor.placeholders import AbsentError, Placeholders
from pipeline.spec_executor.run import State, TaskRun
from pipeline.spec_executor.spec import (
    Component,
    ComponentInput,
    Constant,
    ContainerExecutor,
    ImporterExecutor,
    ResolverExecutor,
    Task,
)


def run_task(
    context: Context, name: str, task: Task, component: Component, inputs: Values
) -> tuple[TaskRun, Values]:
    """Executes a task, again if it fails and its retry policy says so.

    Args:
        context: The run.
        name: The task's path.
        task: The task.
        component: What it runs.
        inputs: What it is given.

    Returns:
        How it ended, and its outputs.
    """
    for attempt in range(task.retry.count + 1):
        ended, outputs = _attempt(context, name, task, component, inputs)
        if ended.state is not State.FAILED or attempt == task.retry.count:
            break
        delay = min(task.retry.delay * task.retry.factor**attempt, task.retry.max_delay)
        context.cancelled.wait(delay)
    return ended, outputs


def _attempt(
    context: Context, name: str, task: Task, component: Component, inputs: Values
) -> tuple[TaskRun, Values]:
    is_container = isinstance(component.implementation, ContainerExecutor)
    with context.slots:
        started = time.monotonic()
        execution = context.store.begin_execution(context.run, name, component.name, inputs)
        log = context.log(name, execution) if is_container else None
        result = TaskRun(name, State.SUCCEEDED, log=log)
        outputs = Values()
        context.listener.begun(name, log)
        try:
            context.check_cancelled()
            if is_container:
                container = ContainerTask(context, name, task, component, execution)
                outputs, cached_from = container.run(inputs)
                result.cached = cached_from is not None
            else:
                outputs = _look(context, name, component, inputs, execution)
                context.store.succeed(execution, outputs, pipeline=context.spec.name)
        except CancelledError as error:
            result.state, result.error = State.CANCELLED, str(error)
        except TaskError as error:
            result.state, result.error = State.FAILED, str(error)
        if result.error is not None:
            context.store.fail(execution, result.state.value, result.error)
        result.seconds = time.monotonic() - started
    result.outputs, result.parameters = outputs.artifacts, outputs.parameters
    return result, outputs


def _look(
    context: Context, name: str, component: Component, inputs: Values, execution: int
) -> Values:
    """What an importer or a resolver finds; neither starts a process."""
    places = context.places(name, execution)
    told = executor_input(component, inputs, {}, places)
    placeholders = Placeholders(told, context.job(name))
    executor = component.implementation
    if isinstance(executor, ImporterExecutor):
        (key,) = component.outputs.artifacts
        new = f"{NAMES}/{places.identity}-{key}"
        return Values({}, {key: (_import(context, executor, inputs, placeholders, new),)})
    assert isinstance(executor, ResolverExecutor)
    found: dict[str, tuple[Artifact, ...]] = {}
    for key, (text, limit) in executor.queries.items():
        try:
            wanted = placeholders.text(text)
        except AbsentError:
            # It asks for what belongs to an artifact that another resolver did not find.
            found[key] = ()
        else:
            found[key] = context.store.resolve(wanted, limit, context.spec.name)
    return Values({}, found)


def _import(
    context: Context,
    executor: ImporterExecutor,
    inputs: Values,
    placeholders: Placeholders,
    name: str,
) -> Artifact:
    match executor.uri:
        case ComponentInput(parameter):
            uri = inputs.parameters.get(parameter)
        case Constant(value):
            uri = placeholders.text(value) if isinstance(value, str) else value
        case other:
            raise TaskError(f"the importer's URI cannot come from {other}")
    if not isinstance(uri, str) or not uri:
        raise TaskError(f"the importer's URI is {uri!r}")
    if not is_there(uri):
        raise TaskError(f"there is nothing to import at {uri}")
    metadata = _filled(dict(executor.metadata), placeholders)
    if not executor.reimport:
        for known in context.store.artifacts(context.spec.name):
            if (known.uri, known.type, known.metadata) == (uri, executor.type, metadata):
                return known
    return Artifact(name, executor.type, uri, metadata)


def _filled(value: Any, placeholders: Placeholders) -> Any:
    """A JSON value with the placeholders in its texts replaced."""
    if isinstance(value, str):
        return placeholders.text(value)
    if isinstance(value, dict):
        return {key: _filled(inner, placeholders) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, placeholders) for inner in value]
    return value
