"""Which settings differ between runs.

Settings are compared as they were understood, not as they were written: 1e-3 is 0.001, and what a
preset leaves out is its default.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from pipeline.settings import Settings
from pipeline.settings_loader import iter_fields


@dataclasses.dataclass(frozen=True)
class DifferingSetting:
    """A setting that is not the same in all runs.

    Attributes:
        key: Its dotted name.
        values: Its value in each run.
        description: What it means.
    """

    key: str
    values: tuple[Any, ...]
    description: str


def settings_diff(runs: Sequence[Settings]) -> list[DifferingSetting]:
    """Returns them in the order in which settings are defined; empty if all are equal."""
    found = []
    for key, field in iter_fields():
        values = tuple(_value(settings, key) for settings in runs)
        if any(value != values[0] for value in values[1:]):
            found.append(DifferingSetting(key, values, field.description or ""))
    return found


def _value(settings: Settings, key: str) -> Any:
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return list(value) if isinstance(value, tuple) else value
