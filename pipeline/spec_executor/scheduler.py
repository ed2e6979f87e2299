"""Runs the tasks of a DAG in order: in parallel where they may, none where they must not.

A task is due when all that it comes after is over. What happens then, its trigger policy says:
usually it runs if they all succeeded, is skipped if one was, and does not run if one failed.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from typing import Any

from pipeline.spec_executor.artifacts import Values
from pipeline.spec_executor.conditions import parse_condition
from pipeline.spec_executor.context import Context
from pipeline.spec_executor.errors import TaskError
from pipeline.spec_executor.run import State, TaskRun
from pipeline.spec_executor.spec import Component, Dag, Task, TaskOutput, Trigger
from pipeline.spec_executor.task_inputs import Ended, condition_variables, task_inputs
from pipeline.spec_executor.task_runner import run_task

# Of what happens to a task: what its upstream tasks did, the first that fits.
_STOPS = (
    (State.CANCELLED, State.CANCELLED),
    (State.FAILED, State.NOT_TRIGGERED),
    (State.NOT_TRIGGERED, State.NOT_TRIGGERED),
    (State.SKIPPED, State.SKIPPED),
)


def run_dag(context: Context, path: str, component: Component, given: Values) -> Ended:
    """Runs all tasks of a DAG to their ends.

    Args:
        context: The run.
        path: The path of the DAG's task, with a "/" after it; "" for the pipeline itself.
        component: What has the DAG.
        given: The DAG's inputs.

    Returns:
        How it ended: failed if any of its tasks has, whatever came after that.
    """
    dag = component.implementation
    assert isinstance(dag, Dag)
    ended: dict[str, Ended] = {}
    waiting = dict(dag.tasks)
    over: queue.SimpleQueue[tuple[str, Ended]] = queue.SimpleQueue()

    def run(task: Task, ended: dict[str, Ended]) -> None:
        try:
            result = _run_task(context, path, task, given, ended)
        except BaseException as error:
            # No task's fault: the whole run ends with it.
            context.abort(error)
            result = Ended(State.CANCELLED)
        over.put((task.name, result))

    running = 0
    while True:
        for name in [n for n, task in waiting.items() if task.upstream <= ended.keys()]:
            task = waiting.pop(name)
            arguments = [task, dict(ended)]
            threading.Thread(target=run, args=arguments, name=path + name, daemon=True).start()
            running += 1
        if not running:
            break
        name, result = over.get()
        ended[name] = result
        running -= 1
    return _outcome(dag, ended)


def _outcome(dag: Dag, ended: dict[str, Ended]) -> Ended:
    states = {result.state for result in ended.values()}
    if State.CANCELLED in states:
        return Ended(State.CANCELLED, error="the run was stopped")
    failed = sorted(name for name, result in ended.items() if result.state is State.FAILED)
    if failed:
        return Ended(State.FAILED, error=f"tasks failed: {', '.join(failed)}")
    parameters = {name: result.outputs.parameters for name, result in ended.items()}
    artifacts = {name: result.outputs.artifacts for name, result in ended.items()}
    return Ended(
        State.SUCCEEDED,
        Values(_chosen(dag.parameters, parameters), _chosen(dag.artifacts, artifacts)),
    )


def _chosen(
    outputs: Mapping[str, tuple[TaskOutput, ...]], made: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Of each output's sources the first that is there; others were skipped."""
    chosen = {}
    for key, sources in outputs.items():
        for source in sources:
            if source.key in made[source.task]:
                chosen[key] = made[source.task][source.key]
                break
    return chosen


def _run_task(
    context: Context, path: str, task: Task, given: Values, ended: dict[str, Ended]
) -> Ended:
    """Decides whether a task that is due runs, and runs it."""
    name = path + task.name
    component = context.spec.components[task.component]
    is_dag = isinstance(component.implementation, Dag)

    def end(state: State, error: str | None = None) -> Ended:
        context.end(TaskRun(name, state, error=error, is_dag=is_dag))
        return Ended(state, error=error)

    if context.cancelled.is_set():
        return end(State.CANCELLED)
    upstream = {ended[other].state for other in task.upstream}
    stop = next((state for cause, state in _STOPS if cause in upstream), None)
    if stop is State.CANCELLED or (stop and task.trigger is Trigger.ALL_SUCCEEDED):
        return end(stop)
    try:
        inputs = task_inputs(task, component, given, ended, context.job(name))
        if task.condition and not parse_condition(task.condition)(condition_variables(inputs)):
            return end(State.SKIPPED)
    except TaskError as error:
        return end(State.FAILED, str(error))
    if is_dag:
        started = time.monotonic()
        context.listener.begun(name, None)
        result = run_dag(context, f"{name}/", component, inputs)
        seconds = time.monotonic() - started
        context.end(
            TaskRun(
                name,
                result.state,
                seconds=seconds,
                outputs=result.outputs.artifacts,
                parameters=result.outputs.parameters,
                error=result.error,
                is_dag=True,
            )
        )
        return result
    task_run, outputs = run_task(context, name, task, component, inputs)
    context.end(task_run)
    return Ended(task_run.state, outputs, task_run.error)
