"""Builds a `Settings` tree from a preset and `--set` overrides, with errors a person can act on.

What settings exist is defined in `settings.py` alone.
"""

from __future__ import annotations

import difflib
import importlib.resources
import pathlib
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from pipeline.settings import Settings


class SettingsError(ValueError):
    """A setting or preset that cannot be used; the message names key, value and what is allowed."""


class _Yaml(yaml.SafeLoader):
    """YAML in which 1e-3 is a number, as in YAML 1.2; PyYAML's 1.1 takes it for text."""


_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def preset_names() -> list[str]:
    """Returns the names of the presets that come with the package, sorted."""
    folder = importlib.resources.files("pipeline") / "presets"
    return sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith("yaml"))


def load_settings(preset: str = "demo", overrides: Iterable[str] = ()) -> Settings:
    """Builds the settings tree.

    Args:
        preset: Name of a packaged preset, or path of a preset file (`*.yaml`).
        overrides: Strings `section.key=value`; later ones win. The value is in YAML syntax, but
            for settings that hold text: there it is taken as it is, unless it is in quotes or null.

    Returns:
        The checked, frozen tree.

    Raises:
        SettingsError: An unknown preset or key, or a value of the wrong type or out of range.
    """
    tree = _read_preset(preset)
    for override in overrides:
        _apply(tree, override)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        items = error.errors()
        # A list with a bad item is reported as too short as well: the item says enough.
        inner = {item["loc"][:depth] for item in items for depth in range(len(item["loc"]))}
        raise SettingsError(
            "\n".join(_explain(item) for item in items if item["loc"] not in inner)
        ) from None


def _read_preset(preset: str) -> dict[str, Any]:
    if preset in preset_names():
        source = importlib.resources.files("pipeline") / "presets" / f"{preset}.yaml"
        text = source.read_text("utf-8")
    elif preset.endswith((".yaml", ".yml")):
        try:
            text = pathlib.Path(preset).expanduser().read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"cannot read the preset {preset}: {error}") from None
    else:
        raise SettingsError(
            f"unknown preset {preset!r}; there are: {', '.join(preset_names())}; "
            "a preset of your own is a path that ends in .yaml"
        )
    try:
        tree = yaml.load(text, _Yaml)
    except yaml.YAMLError as error:
        raise SettingsError(f"the preset {preset} is not valid YAML: {error}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise SettingsError(f"the preset {preset} must hold sections such as training:")
    return tree


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
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "form" in extra:
        return str(extra["form"])
    return _words(field.annotation, field.metadata)


def _words(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """Type and bounds in words; bounds come as annotations of the type, or beside it."""
    metadata = list(metadata)
    while typing.get_origin(annotation) is typing.Annotated:
        annotation, *extra = typing.get_args(annotation)
        metadata += extra
    bounds, count = [], ""
    for item in metadata:
        for constraint in [item, *getattr(item, "metadata", [])]:
            for attribute, symbol in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
                bound = getattr(constraint, attribute, None)
                if bound is not None:
                    bounds.append(f"{symbol} {bound:g}")
            if getattr(constraint, "min_length", None):
                count = f", at least {constraint.min_length} of them"
    return " ".join([_type_words(annotation), " and ".join(bounds)]).strip() + count


def _type_words(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is tuple:
        return f"a list, each item {_words(arguments[0])}"
    if arguments:
        return " or ".join(_words(a) for a in arguments)
    names = {int: "an integer", float: "a number", str: "text", bool: "true or false"}
    return names.get(annotation, "null")


def _apply(tree: dict[str, Any], override: str) -> None:
    """Writes one `a.b=c` into the nested mapping `tree`."""
    key, equals, raw = override.partition("=")
    key, raw = key.strip(), raw.strip()
    if not equals or not key:
        raise SettingsError(f"--set {override!r}: expected section.key=value")
    known = dict(iter_fields())
    if key not in known:
        raise SettingsError(_unknown_key(key, known))
    if _is_text(known[key]) and raw not in ("", "~", "null") and raw[0] not in "'\"":
        # A path may hold what YAML takes for a comment, a mapping or a number.
        value: Any = raw
    else:
        try:
            value = yaml.load(raw, _Yaml)
        except yaml.YAMLError:
            raise SettingsError(
                f"{key}={raw} is not valid YAML; it must be {allowed(known[key])}"
            ) from None
    *parents, leaf = key.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
    tree[leaf] = value


def _is_text(field: FieldInfo) -> bool:
    if typing.get_origin(field.annotation) in (types.UnionType, typing.Union):
        return str in typing.get_args(field.annotation)
    return field.annotation is str


def _unknown_key(key: str, known: Mapping[str, FieldInfo]) -> str:
    inside = [k for k in known if k.startswith(key + ".")]
    if inside:
        return f"{key} is a section, not a setting; there are: {', '.join(inside)}"
    likeness = {k: _likeness(k, key) for k in known}
    nearest = max(known, key=lambda k: likeness[k])
    if likeness[nearest] >= 0.7:
        return f"unknown setting {key!r}; did you mean {nearest}?"
    siblings = [k for k in known if k.startswith(key.rsplit(".", 1)[0] + ".")] or sorted(
        {k.split(".")[0] for k in known}
    )
    return f"unknown setting {key!r}; there are: {', '.join(siblings)}"


def _likeness(left: str, right: str) -> float:
    """From 0 to 1; the last part of a key counts twice, since sections are what people forget."""
    pairs = (left, right), (left.rpartition(".")[2], right.rpartition(".")[2])
    return sum(difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs) / 2


def _explain(item: Any) -> str:
    """One line for one pydantic error: key, value, what is allowed."""
    known = dict(iter_fields())
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return _unknown_key(key, known)
    message = item["msg"].removeprefix("Value error, ")
    leaf = next((k for k in known if key == k or key.startswith(k + ".")), None)
    if leaf is None:
        return f"{key}: {message}, got {item['input']}"
    if item["type"] != "value_error":
        message = f"{'it' if key == leaf else leaf} must be {allowed(known[leaf])}"
    return f"{key}={item['input']!r} is not allowed; {message}"
