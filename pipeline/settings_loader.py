"""Builds a `Settings` tree from a preset and `--set` overrides, with errors a person can act on.

What settings exist is defined in `settings.py` alone.
"""

from __future__ import annotations

import difflib
import importlib.resources
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from pipeline.settings import Settings


class SettingsError(ValueError):
    """A setting or preset that cannot be used; the message names key, value and what is allowed."""


def preset_names() -> list[str]:
    """Returns the names of the presets that come with the package, sorted."""
    folder = importlib.resources.files("pipeline") / "presets"
    return sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith("yaml"))


def load_settings(preset: str = "demo", overrides: Iterable[str] = ()) -> Settings:
    """Builds the settings tree.

    Args:
        preset: Name of a packaged preset.
        overrides: Strings `section.key=value`, the value in YAML syntax; later ones win.

    Returns:
        The checked, frozen tree.

    Raises:
        SettingsError: An unknown preset or key, or a value of the wrong type or out of range.
    """
    if preset not in preset_names():
        raise SettingsError(f"unknown preset {preset!r}; there are: {', '.join(preset_names())}")
    text = (importlib.resources.files("pipeline") / "presets" / f"{preset}.yaml").read_text("utf-8")
    tree: dict[str, Any] = yaml.safe_load(text) or {}
    for override in overrides:
        _apply(tree, override)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(item) for item in error.errors())) from None


def iter_fields(
    model: type[BaseModel] = Settings, prefix: str = ""
) -> Iterator[tuple[str, FieldInfo]]:
    """Yields `(dotted key, field)` for every leaf setting, in the order of definition."""
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from iter_fields(annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def allowed(field: FieldInfo) -> str:
    """Describes in words what values a field accepts: its type and its bounds."""
    annotation, metadata = field.annotation, list(field.metadata)
    while typing.get_origin(annotation) is typing.Annotated:
        annotation, *extra = typing.get_args(annotation)
        metadata += extra
    words = _type_words(annotation)
    bounds = []
    for item in metadata:
        for constraint in [item, *getattr(item, "metadata", [])]:
            for attribute, symbol in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
                bound = getattr(constraint, attribute, None)
                if bound is not None:
                    bounds.append(f"{symbol} {bound:g}")
            pattern = getattr(constraint, "pattern", None)
            if pattern:
                bounds.append(f"matching {pattern}")
    return " ".join([words, " and ".join(dict.fromkeys(bounds))]).strip()


def _type_words(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type_words(arguments[0])
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is tuple:
        return f"a list of {_type_words(arguments[0])}"
    if arguments:
        return " or ".join(_type_words(a) for a in arguments)
    names = {int: "an integer", float: "a number", str: "text", bool: "true or false"}
    return names.get(annotation, "null")


def _apply(tree: dict[str, Any], override: str) -> None:
    """Writes one `a.b=c` into the nested mapping `tree`."""
    key, equals, raw = override.partition("=")
    if not equals or not key.strip():
        raise SettingsError(f"--set {override!r}: expected section.key=value")
    try:
        value = yaml.safe_load(raw)
    except yaml.YAMLError:
        raise SettingsError(f"--set {override!r}: {raw!r} is not valid YAML") from None
    known = dict(iter_fields())
    key = key.strip()
    if key not in known:
        raise SettingsError(_unknown_key(key, known))
    if isinstance(value, str):
        # YAML 1.1 reads 1e-3 as text, since it wants a dot; people mean the number.
        value = _number_if_scientific(value, known[key])
    *parents, leaf = key.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
    tree[leaf] = value


def _number_if_scientific(value: str, field: FieldInfo) -> Any:
    if field.annotation in (float, int) or typing.get_origin(field.annotation) is typing.Annotated:
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _unknown_key(key: str, known: Mapping[str, FieldInfo]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if near:
        return f"unknown setting {key!r}; did you mean {near[0]}?"
    siblings = [k for k in known if k.startswith(key.rsplit(".", 1)[0] + ".")] or sorted(
        {k.split(".")[0] for k in known}
    )
    return f"unknown setting {key!r}; there are: {', '.join(siblings)}"


def _explain(item: Any) -> str:
    """One line for one pydantic error: key, value, what is allowed."""
    known = dict(iter_fields())
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return _unknown_key(key, known)
    leaf = next((k for k in known if key == k or key.startswith(k + ".")), None)
    if leaf is None:
        return f"{key}: {item['msg'].removeprefix('Value error, ')}, got {item['input']}"
    return f"{leaf}={item['input']!r} is not allowed; it must be {allowed(known[leaf])}"
