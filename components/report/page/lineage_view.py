"""The sections on lineage, settings and environment: where the model comes from, and with what."""

from __future__ import annotations

import datetime
import json
from typing import Any

from components.report.page.charts import bar_chart
from components.report.page.facts import Context
from components.report.page.formats import duration, moment


def lineage_view(context: Context) -> dict[str, Any] | None:
    """Returns `figure` (durations), `artifacts`, `code`, `data`; None where nothing is known."""
    artifacts, code = context.get("artifacts") or [], context.get("code") or {}
    steps, data = context.get("components") or [], context.get("data") or {}
    if not artifacts and not code and not steps and not any(data.values()):
        return None
    return {
        "figure": _durations(steps),
        "artifacts": [
            [
                f"{item.get('component') or ''} › {item.get('output') or ''}".strip(" ›"),
                item.get("type") or "",
                "" if item.get("id") is None else item["id"],
                _made(item.get("created")),
                item.get("uri") or "",
                _properties(item.get("properties")),
            ]
            for item in artifacts
        ],
        "code": sorted(code.items()),
        "data": [(name.replace("_", " "), value) for name, value in data.items() if value],
    }


def _made(created: float | str | None) -> str:
    """When, of seconds since 1970 or a time in ISO 8601."""
    if isinstance(created, int | float):
        created = datetime.datetime.fromtimestamp(created, datetime.timezone.utc).isoformat()
    return moment(created) if created else ""


def _properties(found: dict[str, Any] | None) -> str:
    return "; ".join(f"{name} = {_shown(value)}" for name, value in sorted((found or {}).items()))


def _durations(steps: list[dict[str, Any]]) -> dict[str, Any] | None:
    timed = [step for step in steps if step.get("seconds") is not None]
    if not timed:
        return None
    total = sum(step["seconds"] for step in timed)
    longest = max(timed, key=lambda step: step["seconds"])
    numbers = ["cached" if step.get("cached") else duration(step["seconds"]) for step in timed]
    title = "Duration of each step"
    return {
        "title": title,
        "how": f"{duration(total)} in all, in the order in which they ran; “cached” steps reused "
        "what an earlier run had made of the same.",
        "svg": bar_chart(
            [step["id"] for step in timed],
            {"seconds": [step["seconds"] for step in timed]},
            title=title,
            description=f"Longest: {longest['id']} with {duration(longest['seconds'])} of "
            f"{duration(total)}.",
            x_label="seconds",
            numbers=numbers,
        ),
        "header": ["step", "seconds", "cached"],
        "rows": [
            [step["id"], f"{step['seconds']:.1f}", "yes" if step.get("cached") else "no"]
            for step in timed
        ],
    }


def settings_view(context: Context) -> dict[str, Any] | None:
    """Returns the `changed` settings and the `others`, as rows; None where none are known."""
    items = context.get("settings") or []
    if not items:
        return None
    return {
        "changed": [
            [item["key"], _shown(item["value"]), _shown(item.get("default")),
             item.get("description") or ""]
            for item in items
            if item.get("changed")
        ],
        "others": [
            [item["key"], _shown(item["value"]), item.get("description") or ""]
            for item in items
            if not item.get("changed")
        ],
    }  # fmt: skip


def environment_view(context: Context) -> dict[str, Any] | None:
    """Returns `pairs` about the machine and `packages`; None where nothing is known."""
    found = context.get("environment") or {}
    if not found:
        return None
    memory = found.get("memory_gb")
    return {
        "pairs": [
            ("Python", found.get("python")),
            ("System", found.get("platform")),
            ("Processor", found.get("cpu")),
            ("Cores", found.get("cores")),
            ("Memory", f"{memory:g} GB" if memory else None),
            ("GPUs", ", ".join(found.get("gpus") or ()) or "none"),
            ("Git", found.get("git")),
        ],
        "packages": sorted((found.get("packages") or {}).items()),
    }


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
