"""The embedding map: a static picture as SVG, and the data with which `map.js` makes it answer.

Each kind of point is one path of zero-length strokes, whose caps are the dots: thousands of points
are a few elements, which are drawn fast, print sharply, and keep their size when the map is zoomed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.report.page.facts import Content
from components.report.page.formats import count, counted, percent

_KINDS = {1: "right", 0: "wrong", -1: "other"}
_DENSE = 3000  # with more images, dots are smaller
_ARM = 9  # of a center's cross, in units of the map, which is 1000 wide


def map_view(content: Content) -> dict[str, Any] | None:
    """Returns what the template needs; None without a map."""
    found = content.get("map")
    names, splits = content.get("classes") or [], content.get("splits") or []
    if not found or not found.get("x") or not names:
        return None
    split_names = [split["name"] for split in splits]
    paths, counts = _paths(found)
    rows = _by_class(found, names)
    return {
        "paths": paths,
        "counts": counts,
        "centers": _crosses(found.get("centers") or ()),
        "center_count": sum(center is not None for center in found.get("centers") or ()),
        "description": _in_words(found, counts, rows),
        "method": found.get("method") or "t-SNE",
        "perplexity": found.get("perplexity"),
        "images": found["images"],
        "of": found["of"],
        "sprite": found.get("sprite"),
        "dense": found["images"] > _DENSE,
        "header": ["class", "images", "queries", "wrong", "share wrong"],
        "rows": [[*row[:4], percent(row[3] / row[2]) if row[2] else "–"] for row in rows],
        "data": {
            "names": names,
            "splitNames": split_names,
            **{
                key: found.get(key)
                for key in (
                    "x", "y", "classes", "splits", "right", "ids", "centers", "tile", "columns",
                )
            },
        },
    }  # fmt: skip


def _paths(found: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, int]]:
    """A path of each kind of point, and how many points it has."""
    parts: dict[str, list[str]] = {kind: [] for kind in _KINDS.values()}
    for x, y, right in zip(found["x"], found["y"], found["right"], strict=True):
        parts[_KINDS[right]].append(f"M{int(x)} {int(y)}h0")
    return (
        {kind: "".join(points) for kind, points in parts.items()},
        {kind: len(points) for kind, points in parts.items()},
    )


def _crosses(centers: Any) -> str:
    return "".join(
        f"M{int(x) - _ARM} {int(y)}h{2 * _ARM}M{int(x)} {int(y) - _ARM}v{2 * _ARM}"
        for x, y in (center for center in centers if center is not None)
    )


def _by_class(found: Mapping[str, Any], names: list[str]) -> list[tuple[str, int, int, int]]:
    """Name, images, queries and wrong queries of each class, the most often wrong first."""
    images, asked, wrong = [0] * len(names), [0] * len(names), [0] * len(names)
    for label, right in zip(found["classes"], found["right"], strict=True):
        images[label] += 1
        asked[label] += right >= 0
        wrong[label] += right == 0
    rows = list(zip(names, images, asked, wrong, strict=True))
    return sorted(rows, key=lambda row: (-row[3] / max(row[2], 1), row[0]))


def _in_words(
    found: Mapping[str, Any], counts: Mapping[str, int], rows: list[tuple[str, int, int, int]]
) -> str:
    asked = counts["right"] + counts["wrong"]
    said = (
        f"Map of {count(found['images'])} images of {counted(len(rows), 'class', 'classes')}. "
        f"Of {counted(asked, 'query', 'queries')} on it, {count(counts['right'])} are right and "
        f"{count(counts['wrong'])} wrong."
    )
    worst = [f"{name} ({wrong} of {of})" for name, _, of, wrong in rows[:3] if wrong]
    return said + (f" Most often wrong: {', '.join(worst)}." if worst else "")
