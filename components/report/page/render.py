"""Findings and what is known of the run, as one HTML page that needs nothing else.

What the page says is decided in the `*_view` modules, `verdict.py` and `model_card.py`; how it
looks, in `templates/`, `styles/` and `map.js`.

The context is a mapping, every key of which may be missing, and leaves its part of the page out:

    title, project_version
    run         name, id, started, status, error, duration_seconds, preset, pipeline_name, workdir
    pushed_model, held_back
    components  [{id, seconds, cached}]
    data        dataset, folder, version, source, …
    code        {component: digest}
    artifacts   [{component, output, type, uri, id, created (seconds or ISO 8601), properties}]
    settings    [{key, value, default, changed, description}]
    environment python, platform, cpu, cores, memory_gb, gpus, packages, git
    card        intended_use, out_of_scope, owner, license
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.report.page import facts
from components.report.page.change_view import all_metrics, change_view
from components.report.page.class_view import class_view
from components.report.page.data_view import data_view
from components.report.page.facts import Content, Context
from components.report.page.formats import duration, number
from components.report.page.headline import headline
from components.report.page.lineage_view import environment_view, lineage_view, settings_view
from components.report.page.map_view import map_view
from components.report.page.model_card import model_card
from components.report.page.score_view import score_view
from components.report.page.template_environment import environment
from components.report.page.training_view import training_view
from components.report.page.verdict import verdict

_SHEETS = (
    ("worst", "Worst queries", "Lowest MAP@R, of different classes where there are enough."),
    ("typical", "Typical queries", "Around the median of MAP@R."),
    ("best", "Best queries", "Highest MAP@R."),
)


def render(content: Content, pictures: Mapping[str, bytes], context: Context) -> str:
    """Makes the page.

    Args:
        content: The findings, as `components.report.findings` describes them.
        pictures: WebP files by key.
        context: See above.

    Returns:
        The HTML; the same for the same arguments.
    """
    views: dict[str, Any] = {
        "verdict": verdict(content, context),
        "headline": headline(content, context),
        "card": model_card(content, context),
        "all_metrics": all_metrics(content),
        "changes": change_view(content),
        "training": training_view(content.get("training")),
        "sheets": _sheets(content),
        "classes": class_view(content),
        "per_class_lead": _class_lead(content, context),
        "map": map_view(content),
        "scores": score_view(content.get("scores")),
        "data": data_view(content),
        "bad_rows": _bad_rows(content),
        "lineage": lineage_view(context),
        "serving": _serving(content),
        "settings": settings_view(context),
        "machine": environment_view(context),
    }
    made = environment(pictures)
    made.globals["absent"] = lambda what, why: _absent(what, why, context)
    return made.get_template("report.html.j2").render(
        **views,
        scripts=["page.js", *(["map.js"] if views["map"] else [])],
        navigation=_navigation(views),
        title=context.get("title"),
        project_version=context.get("project_version") or "",
        run=context.get("run") or {},
    )


def _navigation(views: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The sections that the page has."""
    always = {"card", "training", "retrieval", "classes", "data"}
    names = (
        ("card", "Model card", "card"),
        ("changes", "What changed", "changes"),
        ("training", "Training", "training"),
        ("retrieval", "Queries", "sheets"),
        ("classes", "Classes", "classes"),
        ("map", "Map", "map"),
        ("scores", "Scores", "scores"),
        ("data", "Data", "data"),
        ("lineage", "Lineage", "lineage"),
        ("settings", "Settings", "settings"),
        ("environment", "Environment", "machine"),
    )
    there = {id_ for id_, _, view in names if views[view]} | always
    if views["serving"]:
        there.add("lineage")
    return [(id_, name) for id_, name, _ in names if id_ in there]


def _absent(what: str, why: str, context: Context) -> str:
    """Says why a section has nothing to show."""
    if (context.get("run") or {}).get("status") == "failed":
        why = "the run failed before it came to this"
    return f"{what}: {why}."


def _sheets(content: Content) -> list[tuple[str, str, str, list[Any]]]:
    found = content.get("sheets") or {}
    return [(id_, title, how, found[id_]) for id_, title, how in _SHEETS if found.get(id_)]


def _class_lead(content: Content, context: Context) -> str:
    subject = content.get("subject")
    rows = content.get("per_class") or []
    if not subject or not rows:
        return ""
    said = facts.protocol(content, context, subject)
    lead = f"{said[:1].upper()}{said[1:]}" if said else subject.capitalize()
    balanced = (content.get("balanced") or {}).get("recall_at_1")
    if balanced is not None:
        lead += f"; mean of recall@1 over classes, each counting the same: {number(balanced)}"
    return f"{lead}."


def _bad_rows(content: Content) -> list[list[str]]:
    bad = (content.get("data") or {}).get("bad_images") or ()
    return [[image["id"], image["split"], image["class_name"], image["reason"]] for image in bad]


def _serving(content: Content) -> list[tuple[str, Any]] | None:
    """What the check in a server found, as names and values."""
    check = content.get("serving_check")
    if not check:
        return None
    latency = check.get("latency") or {}
    memory = check.get("peak_memory_mb")
    result = "passed" if check.get("ok") else f"failed: {check.get('reason') or 'no reason given'}"
    median, high = (number(latency.get(name), 0) for name in ("median_ms", "p95_ms"))
    milliseconds = (
        f"{median} ms (95th percentile: {high} ms) over {latency.get('requests')} requests"
    )
    return [
        ("Result", result),
        ("Photos asked about", check.get("photos")),
        ("Loaded in", duration(check["load_seconds"]) if check.get("load_seconds") else None),
        ("One photo takes", milliseconds if latency else None),
        ("Peak memory", f"{memory:,.0f} MB" if memory else None),
    ]
