"""Every setting in words: for the terminal, for the README, and as a preset file to start from.

All of it is made from `settings.py`; nothing is said here about a single setting.
"""

from __future__ import annotations

import dataclasses
import json
import textwrap
from typing import Any

from rich.console import Console
from rich.markup import escape

from pipeline.settings import Settings
from pipeline.settings_loader import allowed, iter_fields


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        key: Dotted name, as `--set` takes it.
        allowed: Type and range in words.
        default: Its value when no preset says otherwise, as `--set` takes it.
        value: Its value in the tree that was asked about.
        meaning: What it does.
    """

    key: str
    allowed: str
    default: str
    value: str
    meaning: str


def describe(settings: Settings) -> list[Setting]:
    """Returns every setting, in the order of definition."""
    defaults = Settings()
    return [
        Setting(
            key=key,
            allowed=allowed(field),
            default=_text(_look_up(defaults, key)),
            value=_text(_look_up(settings, key)),
            meaning=field.description or "",
        )
        for key, field in iter_fields()
    ]


def print_settings(settings: Settings, console: Console) -> None:
    """Prints a paragraph for each setting: value, default, what is allowed, and its meaning."""
    for setting in describe(settings):
        changed = setting.value != setting.default
        console.print(
            f"[bold]{setting.key}[/bold] = {escape(setting.value)}"
            + (f"  (default {escape(setting.default)})" if changed else ""),
            soft_wrap=True,
        )
        console.print(f"    {escape(setting.meaning)}", soft_wrap=True)
        console.print(f"    {escape(setting.allowed)}", soft_wrap=True, style="dim")


def markdown() -> str:
    """Returns a Markdown table of keys, defaults, what is allowed, and meanings."""
    rows = ["| setting | default | allowed | meaning |", "|---|---|---|---|"]
    for setting in describe(Settings()):
        cells = (f"`{setting.key}`", f"`{setting.default}`", setting.allowed, setting.meaning)
        rows.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(rows)


def preset_yaml(settings: Settings) -> str:
    """Returns a preset file with every setting at its value, and its meaning above it."""
    lines: list[str] = []
    opened: tuple[str, ...] = ()
    for setting in describe(settings):
        *sections, leaf = setting.key.split(".")
        for depth, section in enumerate(sections):
            if opened[: depth + 1] != tuple(sections[: depth + 1]):
                lines.append(f"{'  ' * depth}{section}:")
        opened = tuple(sections)
        indent = "  " * len(sections)
        comment = f"{setting.meaning}; {setting.allowed}"
        lines += textwrap.wrap(
            comment, 100, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
        )
        lines.append(f"{indent}{leaf}: {setting.value}")
    return "\n".join(lines) + "\n"


def _look_up(settings: Settings, key: str) -> Any:
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _text(value: Any) -> str:
    """A value in YAML; JSON is YAML, and text that needs no quotes gets none."""
    if isinstance(value, str):
        return value if value.replace("_", "").isalnum() else json.dumps(value, ensure_ascii=False)
    return json.dumps(list(value) if isinstance(value, tuple) else value)
