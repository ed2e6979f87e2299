"""The filters of resolvers: which earlier artifacts a task wants.

What TFX writes: terms joined by AND, each `schema_title="…"`, `state=LIVE`, `name="…"`, `uri="…"`
or `metadata.KEY.number_value=…` (also `string_value`, `bool_value`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from pipeline.spec_executor.artifacts import Artifact
from pipeline.spec_executor.errors import TaskError

_TERM = re.compile(
    r"""\s*(?P<field>[\w.]+)\s*=\s*(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"']+)\s*"""
)
_METADATA = re.compile(r"metadata\.(\w+)\.(number_value|string_value|bool_value)")


def parse_filter(text: str) -> Callable[[Artifact], bool]:
    """Parses a filter.

    Args:
        text: The filter, its placeholders replaced.

    Returns:
        Whether an artifact of the store (all of which are live) passes it.

    Raises:
        TaskError: It has a term that is not supported.
    """
    terms = []
    at = 0
    while True:
        match = _TERM.match(text, at)
        if not match:
            raise TaskError(f"the resolver's filter {text} cannot be understood at {text[at:]!r}")
        terms.append(_term(text, match["field"], match["value"]))
        at = match.end()
        if at == len(text):
            return lambda artifact: all(term(artifact) for term in terms)
        if not text.startswith("AND ", at):
            raise TaskError(f"the resolver's filter {text} has no AND at {text[at:]!r}")
        at += len("AND ")


def _term(text: str, field: str, value: str) -> Callable[[Artifact], bool]:
    wanted = value
    if value[0] in "\"'":
        wanted = re.sub(r"\\(.)", r"\1", value[1:-1])
    if field == "state":
        return lambda artifact: wanted == "LIVE"
    if field == "schema_title":
        return lambda artifact: artifact.type.title == wanted
    if field == "name":
        return lambda artifact: artifact.name == wanted
    if field == "uri":
        return lambda artifact: artifact.uri == wanted
    if match := _METADATA.fullmatch(field):
        key, kind = match[1], match[2]
        expected: Any = wanted if kind == "string_value" else _json(text, wanted)
        # To Python true is 1; in metadata they are different.
        return lambda artifact: (
            key in artifact.metadata
            and isinstance(artifact.metadata[key], bool) == isinstance(expected, bool)
            and bool(artifact.metadata[key] == expected)
        )
    raise TaskError(f"the resolver's filter {text} asks for {field}, which is not supported")


def _json(text: str, value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        raise TaskError(f"the resolver's filter {text} has the value {value!r}") from None
