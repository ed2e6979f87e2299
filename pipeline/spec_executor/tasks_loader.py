"""Turns the tasks of a spec into ours, and refuses loops over items."""

from __future__ import annotations

from typing import Any

from pipeline.spec_executor.conditions import ConditionError, parse_condition
from pipeline.spec_executor.executors_loader import Refusal, runtime_value
from pipeline.spec_executor.spec import (
    ComponentInput,
    FinalStatus,
    Retry,
    Source,
    Task,
    TaskOutput,
    Trigger,
)


def task_of(name: str, message: Any, siblings: frozenset[str], component: str) -> Task:
    """The task in a `PipelineTaskSpec`.

    Args:
        name: Its name.
        message: The proto.
        siblings: Names of all tasks of its DAG.
        component: The component whose DAG that is.

    Raises:
        Refusal: It is a loop, or one of its inputs or its condition cannot be understood.
    """
    place = f"task {name} of {component}"
    if message.WhichOneof("iterator"):
        raise Refusal(f"{place} is a loop over items (ParallelFor), which is not supported")
    parameters = {
        key: _parameter(f"{place}, parameter {key}", source, siblings)
        for key, source in message.inputs.parameters.items()
    }
    artifacts = {
        key: _artifact(f"{place}, artifact {key}", source)
        for key, source in message.inputs.artifacts.items()
    }
    policy = message.trigger_policy
    try:
        if policy.condition:
            parse_condition(policy.condition)
    except ConditionError as error:
        raise Refusal(f"{place}: {error}") from None
    strategy = policy.DESCRIPTOR.fields_by_name["strategy"].enum_type.values_by_number
    completed = strategy[policy.strategy].name == Trigger.ALL_COMPLETED.value
    return Task(
        name=name,
        component=message.component_ref.name,
        parameters=parameters,
        artifacts=artifacts,
        after=tuple(message.dependent_tasks),
        condition=policy.condition,
        trigger=Trigger.ALL_COMPLETED if completed else Trigger.ALL_SUCCEEDED,
        cache=message.caching_options.enable_cache,
        cache_key=message.caching_options.cache_key,
        retry=_retry(message.retry_policy),
    )


def _retry(message: Any) -> Retry:
    usual = Retry()
    return Retry(
        count=message.max_retry_count,
        delay=message.backoff_duration.ToTimedelta().total_seconds(),
        factor=message.backoff_factor or usual.factor,
        max_delay=message.backoff_max_duration.ToTimedelta().total_seconds() or usual.max_delay,
    )


def _parameter(place: str, message: Any, siblings: frozenset[str]) -> Source:
    if message.parameter_expression_selector:
        raise Refusal(
            f"{place} is a part of a value ({message.parameter_expression_selector}), as loops "
            "use it, which is not supported"
        )
    match message.WhichOneof("kind"):
        case "runtime_value":
            return runtime_value(message.runtime_value)
        case "component_input_parameter":
            return ComponentInput(message.component_input_parameter)
        case "task_output_parameter":
            output = message.task_output_parameter
            return TaskOutput(
                _producer(output.producer_task, siblings), output.output_parameter_key
            )
        case "task_final_status":
            return FinalStatus(message.task_final_status.producer_task)
    raise Refusal(f"{place} has no source")


def _producer(name: str, siblings: frozenset[str]) -> str:
    """The task meant: TFX writes `X_task` for the outputs of X that become parameters."""
    stem = name.removesuffix("_task")
    return stem if name not in siblings and stem in siblings else name


def _artifact(place: str, message: Any) -> Source:
    match message.WhichOneof("kind"):
        case "component_input_artifact":
            return ComponentInput(message.component_input_artifact)
        case "task_output_artifact":
            output = message.task_output_artifact
            return TaskOutput(output.producer_task, output.output_artifact_key)
    raise Refusal(f"{place} has no source")
