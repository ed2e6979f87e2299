"""A comparison as one HTML page, of the same make as the report of a run.

What the page says is worked out here, what it draws in `page_charts.py`; style and parts are those
of `components/report/page`.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from components.report.page.formats import (
    change_interval,
    count,
    counted,
    duration,
    moment,
    number,
)
from components.report.page.formats import metric_name as name_of
from components.report.page.template_environment import environment
from pipeline.comparison.changes import HIT, ORDER
from pipeline.comparison.compare import Comparison
from pipeline.comparison.page_charts import class_charts, hits, metric_charts
from pipeline.comparison.words import in_words, p_value_in_words, pushed, rank_in_words, verdict

_TEMPLATES = pathlib.Path(__file__).parent / "templates"
_CARDS = (HIT, ORDER, "mean_reciprocal_rank")
_NAVIGATION = [
    ("metrics", "Metrics"),
    ("queries", "Queries"),
    ("classes", "Classes"),
    ("settings", "Settings"),
    ("runs", "Runs"),
]
_SYMBOLS = {"better": "▲", "worse": "▼", "": "≈"}


def render(comparison: Comparison, *, made: datetime.datetime | None = None) -> str:
    """Returns the page.

    Args:
        comparison: What `compare` found.
        made: When; None for now.
    """
    content = comparison.content
    runs = content["runs"]
    made = made or datetime.datetime.now(datetime.UTC)
    page = environment(comparison.pictures, _TEMPLATES)
    page.filters["rank"] = rank_in_words
    letters = [run["letter"] for run in runs]
    return page.get_template("comparison.html.j2").render(
        title=f"{' and '.join(run['label'] for run in runs)} compared",
        heading=_heading(runs),
        project_version=importlib.metadata.version("flowersim"),
        made=made.isoformat(timespec="minutes"),
        own_style=Markup((_TEMPLATES / "comparison.css").read_text("utf-8")),
        navigation=_NAVIGATION,
        runs=runs,
        reference=runs[0],
        subject=content["subject"],
        cautions=content["cautions"],
        notes=content["notes"],
        pairs=[_pair(content, place) for place in range(1, len(runs))],
        metrics_lead=(
            f"Mean changes against {letters[0]} over the queries that all runs have. The intervals "
            "are paired bootstrap intervals: both runs’ values of a query are drawn together. They "
            "say what other queries of the same kind would give, not what another training would; "
            "a bar on one side of 0 is a change that the choice of queries does not explain."
        ),
        metric_charts=metric_charts(content),
        hits_header=[
            "queries",
            f"in {letters[0]} and it",
            f"in {letters[0]} alone",
            "in it alone",
            "in neither",
            "McNemar’s test",
        ],
        hits=hits(content),
        queries_lead=(
            f"Queries of {content['subject']} by their change in MAP@R, with the six images that "
            "each run finds most similar. Frames and signs say whether an image is of the query’s "
            "class; the number is the cosine of the embeddings."
        ),
        queries=content["queries"],
        classes_lead=(
            f"Mean MAP@R over each class’s queries of {content['subject']}. These classes were "
            "picked because they changed most, so some of their change is chance; classes of fewer "
            f"than {content['fewest_for_interval']} queries have no interval."
        ),
        classes=class_charts(content),
        settings_header=["setting", *letters, "meaning"],
        settings=[
            [found["key"], *map(in_words, found["values"]), found["description"]]
            for found in content["settings"]
        ],
        run_header=["property", *letters],
        run_rows=_run_rows(runs),
        step_header=["component", *letters, "code"],
        step_numeric=list(range(1, len(runs) + 1)),
        steps=[_step(found) for found in content["components"]],
    )


def _heading(runs: Sequence[Mapping[str, Any]]) -> str:
    if len(runs) == 2:
        return f"{runs[1]['label']} against {runs[0]['label']}"
    return f"{counted(len(runs) - 1, 'run')} against {runs[0]['label']}"


def _pair(content: Mapping[str, Any], place: int) -> dict[str, Any]:
    """The headline of one run against the reference, on the split that is judged by."""
    run, reference = content["runs"][place], content["runs"][0]["letter"]
    split = next(s for s in content["splits"] if s["name"] == content["subject"])
    changes = split["changes"][place - 1]
    found = changes[HIT]
    return {
        "letter": run["letter"],
        "label": run["label"],
        "cards": [
            {
                "name": name_of(name),
                "split": f"{run['letter']}, {split['name']}",
                "value": split["metrics"][name][place],
                "difference": _difference(changes["metrics"][name]),
                "note": f"{reference}: {number(split['metrics'][name][0])}; change at 95 %: "
                f"{change_interval(changes['metrics'][name], 4)}",
            }
            for name in _CARDS
        ],
        "hits": (
            f"Of {counted(split['queries'], 'query', 'queries')}, the nearest image is of the "
            f"right class in {run['letter']} alone for {count(found['only_other'])} and in "
            f"{reference} alone for {count(found['only_reference'])} (McNemar’s exact test: "
            f"{p_value_in_words(found['p_value'])})."
        ),
    }


def _difference(found: Mapping[str, Any]) -> dict[str, Any]:
    word = verdict(found)
    return {
        "kind": word or "unclear",
        "symbol": _SYMBOLS[word],
        "value": found["value"],
        "words": word or ("the same" if found["value"] == 0 else "may be chance"),
    }


def _run_rows(runs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """What the runs are, a property a row."""

    def protocol(run: Mapping[str, Any]) -> str:
        searched = " and ".join(run["gallery_splits"]) or "their own split"
        left_out = ", near-duplicates left out" if run["near_duplicates_left_out"] else ""
        return f"queries searched in {searched}{left_out}"

    rows = {
        "run": lambda run: run["label"],
        "workdir": lambda run: run["workdir"],
        "started": lambda run: moment(run["started"]),
        "status": lambda run: run["status"],
        "preset": lambda run: run["preset"] or "–",
        "data": lambda run: run["dataset"],
        "images": lambda run: ", ".join(f"{count(n)} {s}" for s, n in run["images"].items()),
        "undecodable images": lambda run: count(run["bad_images"]),
        "near-duplicates": lambda run: count(run["near_duplicates"]),
        "protocol": protocol,
        "blessed": lambda run: {True: "yes", False: "no", None: "not judged"}[run["blessed"]],
        "pushed": pushed,
        "duration": lambda run: duration(run["duration_seconds"]),
    }
    return [[name, *(read(run) for run in runs)] for name, read in rows.items()]


def _step(found: Mapping[str, Any]) -> list[str]:
    times = [
        "cached" if cached else duration(seconds)
        for seconds, cached in zip(found["seconds"], found["cached"], strict=True)
    ]
    same = {True: "the same", False: "differs", None: "–"}[found["same_code"]]
    return [found["id"], *times, same]
