"""Values of a pipeline's parameters, from its defaults and from what the user changes.

    spec = load_spec("pipeline.json")
    values = resolve_parameters(spec, ["epochs=5", "Trainer.training.learning_rate=0.001"])

gives every parameter of the pipeline its value, ready for a PipelineJob's
`runtimeConfig.parameterValues`. `NAME=VALUE` sets a parameter. `NAME.a.b=VALUE` changes one value
inside a parameter whose default is a mapping, or a JSON text of one (as TFX passes settings of
components). Nothing here executes or submits anything.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.spec_executor.errors import ParameterError
from pipeline.spec_executor.spec import ParameterDefinition, PipelineSpec

_KINDS: Mapping[str, tuple[type, ...]] = {
    "NUMBER_INTEGER": (int,),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
}
_SAID = {
    "NUMBER_INTEGER": "a whole number",
    "NUMBER_DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "LIST": "a list",
    "STRUCT": "a mapping",
    "STRING": "text",
}


def resolve_parameters(
    spec: PipelineSpec, overrides: Mapping[str, str] | Sequence[str] = ()
) -> dict[str, Any]:
    """Finds the value of every parameter.

    Args:
        spec: What `load_spec` gave. Its default of a parameter is the runtime configuration's
            value, or else the definition's default.
        overrides: `NAME=VALUE` or `NAME.a.b=VALUE`, or the same as a mapping; later ones win.
            VALUE of a text parameter is taken as it is, all others are YAML.

    Returns:
        Values by name: str, int, float, bool, list or dict. Optional parameters without a value
        are left out.

    Raises:
        ParameterError: A name that the pipeline has not, a value of another type, or a parameter
            without a value. The message lists what there is.
    """
    definitions = spec.root.inputs.parameters
    values: dict[str, Any] = {}
    for name, definition in definitions.items():
        value = spec.values.get(name, definition.default)
        if value is not None:
            values[name] = _checked(name, definition, value)
    for name in spec.values:
        if name not in definitions:
            raise ParameterError(f"runtimeConfig has a value for {_unknown(name, spec)}")
    pairs = overrides.items() if isinstance(overrides, Mapping) else map(_split, overrides)
    for key, text in pairs:
        name, path = _find(key, spec)
        if path:
            values[name] = _changed(name, path, values.get(name), text)
        else:
            values[name] = _typed(name, definitions[name], text)
    missing = [n for n, d in definitions.items() if n not in values and not d.optional]
    if missing:
        raise ParameterError(
            f"{spec.source} needs a value for {', '.join(missing)}: give "
            + " ".join(f"--parameter {name}=VALUE" for name in missing)
        )
    return values


def _split(override: str) -> tuple[str, str]:
    name, equals, text = override.partition("=")
    if not equals or not name:
        raise ParameterError(f"--parameter {override} is not of the form NAME=VALUE")
    return name, text


def _find(key: str, spec: PipelineSpec) -> tuple[str, list[str]]:
    """The parameter that a key begins with, the longest name first, and the path inside it."""
    parts = key.split(".")
    for end in range(len(parts), 0, -1):
        name = ".".join(parts[:end])
        if name in spec.root.inputs.parameters:
            return name, parts[end:]
    raise ParameterError(_unknown(key, spec))


def _unknown(name: str, spec: PipelineSpec) -> str:
    definitions = spec.root.inputs.parameters
    there = ", ".join(f"{n} ({_SAID.get(d.type, d.type)})" for n, d in sorted(definitions.items()))
    return f"{name}, and {spec.source} has no such parameter; it has {there or 'none at all'}"


def _typed(name: str, definition: ParameterDefinition, text: str) -> Any:
    return _checked(name, definition, text if definition.type == "STRING" else _yaml(name, text))


def _checked(name: str, definition: ParameterDefinition, value: Any) -> Any:
    """The value in its type: JSON has one kind of numbers, parameters have two."""
    kind = definition.type
    if kind == "NUMBER_INTEGER" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if kind == "NUMBER_DOUBLE" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    wanted = _KINDS.get(kind, (str,))
    fits = isinstance(value, wanted) and (bool in wanted or not isinstance(value, bool))
    if not fits:
        raise ParameterError(f"parameter {name} is {_SAID.get(kind, kind)}, not {_shown(value)}")
    return value


def _yaml(name: str, text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ParameterError(f"parameter {name}: {text!r} is no YAML: {error}") from None


def _changed(name: str, path: Sequence[str], value: Any, text: str) -> Any:
    """A copy of a parameter's value with one value inside it changed."""
    if value is None:
        raise ParameterError(f"parameter {name} has no default, so nothing inside it can be set")
    tree = copy.deepcopy(value)
    if isinstance(value, str):
        try:
            tree = json.loads(value)
        except ValueError:
            tree = None
    if not isinstance(tree, dict | list):
        raise ParameterError(
            f"parameter {name} is no mapping: set it whole, --parameter {name}=VALUE"
        )
    inner, so_far = tree, name
    for step in path[:-1]:
        inner, so_far = inner[_step(inner, step, so_far)], f"{so_far}.{step}"
    last = _step(inner, path[-1], so_far)
    new, old = _yaml(name, text), inner[last]
    if old is not None and new is not None and _kind(old) != _kind(new):
        raise ParameterError(f"{so_far}.{path[-1]} is {_kind(old)}, not {_shown(new)}")
    inner[last] = new
    return json.dumps(tree) if isinstance(value, str) else tree


def _step(tree: Any, step: str, place: str) -> Any:
    if isinstance(tree, dict):
        if step in tree:
            return step
        raise ParameterError(f"{place} has no {step}; it has {', '.join(tree) or 'nothing'}")
    if isinstance(tree, list):
        if step.isdecimal() and int(step) < len(tree):
            return int(step)
        raise ParameterError(f"{place} has no item {step}; it has {len(tree)}, counted from 0")
    raise ParameterError(f"{place} is {_shown(tree)}, there is nothing inside it")


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a mapping"
    return "null"


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
