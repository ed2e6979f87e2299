"""Executes a task that is a container: its check, the cache, its command, its outputs."""

from __future__ import annotations

import pathlib

from pipeline.spec_executor.artifacts import Values
from pipeline.spec_executor.cache_key import cache_key
from pipeline.spec_executor.context import Context
from pipeline.spec_executor.errors import TaskError
from pipeline.spec_executor.executor_io import (
    Places,
    executor_input,
    output_parameters,
    planned_outputs,
    read_output,
)
from pipeline.spec_executor.failure import reason
from pipeline.spec_executor.placeholders import Placeholders
from pipeline.spec_executor.spec import Component, ContainerExecutor, Exec, Task


class ContainerTask:
    """One execution of a container."""

    def __init__(
        self, context: Context, name: str, task: Task, component: Component, execution: int
    ) -> None:
        assert isinstance(component.implementation, ContainerExecutor)
        self._context = context
        self._name = name
        self._task = task
        self._component = component
        self._container = component.implementation
        self._execution = execution
        self._places: Places = context.places(name, execution)
        self.log: pathlib.Path = context.log(name, execution)

    def run(self, inputs: Values) -> tuple[Values, int | None]:
        """Executes it.

        Args:
            inputs: What it is given.

        Returns:
            Its outputs, and the execution that they were taken from if they were cached. They are
            in the store then.

        Raises:
            TaskError: It failed; the message says why.
            CancelledError: The run is being stopped.
        """
        context = self._context
        self._places.make()
        outputs = planned_outputs(self._component, self._places)
        if self._container.pre_cache_check is not None:
            self._start(self._container.pre_cache_check, inputs, outputs)
            found = read_output(self._places, outputs)
            # Its findings (such as the newest span of the data) are inputs of the task too.
            inputs = Values({**inputs.parameters, **found.parameters}, inputs.artifacts)
            outputs = dict(found.artifacts)
        key = cache_key(context.spec.name, self._task, self._component, inputs, Values({}, outputs))
        if cached := self._cached(key):
            context.store.succeed(
                self._execution,
                cached[1],
                pipeline=context.spec.name,
                key=key,
                cached_from=cached[0],
            )
            return cached[1], cached[0]
        self._start(self._container.run, inputs, outputs)
        result = read_output(self._places, outputs)
        parameters = output_parameters(self._component.outputs, self._places, result.parameters)
        made = Values(parameters, result.artifacts)
        context.store.succeed(self._execution, made, pipeline=context.spec.name, key=key)
        return made, None

    def _cached(self, key: str) -> tuple[int, Values] | None:
        context = self._context
        if context.use_cache and self._task.cache:
            return context.store.find_cached(key, None)
        if context.resumed:
            return context.store.find_cached(key, context.resumed)
        return None

    def _start(self, what: Exec, inputs: Values, outputs: dict) -> None:
        """Runs one of the container's commands to its end."""
        context = self._context
        context.check_cancelled()
        told = executor_input(self._component, inputs, outputs, self._places)
        placeholders = Placeholders(told, context.job(self._name))
        words = placeholders.words([*what.command, *what.args])
        variables = self._container.environment
        command = context.launcher.command(
            f"{context.run}-{self._execution}",
            self._container.image,
            words,
            {name: placeholders.text(text) for name, text in variables.items()},
        )
        status = context.processes.run(
            command.argv, log=self.log, environment=command.environment, fork=command.fork
        )
        if context.cancelled.is_set():
            if command.abort is not None:
                command.abort()
            context.check_cancelled()
        if status:
            how = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
            raise TaskError(f"{how}\n{reason(self.log)}".rstrip())
