"""What several parts of the page ask of the findings and the context, which may lack it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from components.report.page.formats import counted, listed

Content = Mapping[str, Any]
Context = Mapping[str, Any]

# In the order in which they are shown; the subject comes first.
_SPLITS = ("test", "validation")


def setting(context: Context, key: str, default: Any = None) -> Any:
    """The value of a setting, `default` where the context has none; one written as JSON is read."""
    for item in context.get("settings") or ():
        if item["key"] == key:
            value = item["value"]
            try:
                return json.loads(value) if isinstance(value, str) else value
            except ValueError:
                return value
    return default


def evaluated_splits(content: Content) -> list[str]:
    """The splits that were evaluated, test first."""
    found = content.get("evaluations") or {}
    return [*(split for split in _SPLITS if split in found), *sorted(set(found) - set(_SPLITS))]


def measured(content: Content, split: str | None, metric: str) -> Mapping[str, Any] | None:
    """`value`, `low` and `high` of a metric, None where it was not measured."""
    found = (content.get("evaluations") or {}).get(split) or {}
    metrics = found.get("metrics") or {}
    value = metrics.get(metric)
    return value if value and value.get("value") is not None else None


def difference(content: Content, split: str | None, metric: str) -> Mapping[str, Any] | None:
    """The same of its change against the last blessed model."""
    found = ((content.get("evaluations") or {}).get(split) or {}).get("differences") or {}
    value = found.get(metric)
    return value if value and value.get("value") is not None else None


def is_clear(change: Mapping[str, Any]) -> bool | None:
    """Whether a change's interval leaves 0 out; None where there is no interval."""
    low, high = change.get("low"), change.get("high")
    if low is None or high is None:
        return None
    return not low <= 0 <= high


def queries(content: Content, split: str | None) -> int | None:
    """How many images of a split were queries."""
    return ((content.get("evaluations") or {}).get(split) or {}).get("queries")


def gallery_splits(content: Content, context: Context, split: str) -> list[str] | None:
    """The splits in which the queries of one were searched; None where nothing tells."""
    found = (content.get("protocol") or {}).get("gallery_splits")
    if found is not None:
        subject = content.get("subject")
        # The findings name the subject where it was searched in itself; so was every other split.
        return [split] if list(found) == [subject] else list(found)
    named = setting(context, "evaluation.gallery_splits")
    return None if named is None else list(named) or [split]


def protocol(content: Content, context: Context, split: str | None) -> str:
    """How a split was searched: leave-one-out within test, 6,149 queries."""
    count = queries(content, split)
    asked = counted(count, "query", "queries") if count else ""
    galleries = gallery_splits(content, context, split) if split else None
    if not galleries:
        how = ""
    elif galleries == [split]:
        how = f"leave-one-out within {split}"
    else:
        how = f"{split} queries searched in {listed(galleries)}"
    return ", ".join(filter(None, (how, asked)))


def images(content: Content, split: str) -> int | None:
    """How many images a split has after ingestion."""
    for found in content.get("splits") or ():
        if found["name"] == split:
            return found["images"]
    return None
