"""Turns the executors of a spec into ours, and refuses those that need a cloud."""

from __future__ import annotations

from typing import Any

from pipeline.spec_executor.interface_loader import artifact_type, metadata_of, value_of
from pipeline.spec_executor.spec import (
    ComponentInput,
    Constant,
    ContainerExecutor,
    Exec,
    Executor,
    ImporterExecutor,
    ResolverExecutor,
    Source,
)


class Refusal(ValueError):  # noqa: N818 - it becomes a SpecError, which also names the file
    """What makes a spec one that cannot be executed."""


def runtime_value(message: Any) -> Source:
    """The source in a `ValueOrRuntimeParameter`."""
    kind = message.WhichOneof("value")
    if kind == "runtime_parameter":
        return ComponentInput(message.runtime_parameter)
    return Constant(value_of(getattr(message, kind)) if kind else None)


def executor_of(label: str, message: Any) -> Executor:
    """The executor in an `ExecutorSpec`.

    Args:
        label: Its name in the spec.
        message: The proto.

    Raises:
        Refusal: It is of a kind that needs a service.
    """
    match message.WhichOneof("spec"):
        case "container":
            return _container(label, message.container)
        case "importer":
            importer = message.importer
            return ImporterExecutor(
                uri=runtime_value(importer.artifact_uri),
                type=artifact_type(importer.type_schema),
                metadata=metadata_of(importer),
                reimport=importer.reimport,
            )
        case "resolver":
            return ResolverExecutor(
                queries={
                    key: (query.filter, query.limit or 1)
                    for key, query in message.resolver.output_artifact_queries.items()
                }
            )
        case None:
            raise Refusal(f"executor {label} is empty")
        case kind:
            raise Refusal(
                f"executor {label} is of kind {kind}, which only a cloud service can run; "
                "containers, importers and resolvers can be executed here"
            )


def _container(label: str, message: Any) -> ContainerExecutor:
    if not message.command and not message.args and not message.image:
        raise Refusal(f"executor {label} has no image, command or args")
    check = None
    if message.lifecycle.HasField("pre_cache_check"):
        hook = message.lifecycle.pre_cache_check
        check = Exec(tuple(hook.command), tuple(hook.args))
    return ContainerExecutor(
        image=message.image,
        run=Exec(tuple(message.command), tuple(message.args)),
        environment={variable.name: variable.value for variable in message.env},
        pre_cache_check=check,
    )
