"""A comparison as a person reads it in a terminal of 80 columns.

Everything that is printed is in the comparison's content; the page (`page.py`) shows more of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.report.page.formats import (
    change,
    change_interval,
    count,
    counted,
    duration,
    number,
)
from components.report.page.formats import metric_name as name_of
from pipeline.comparison.changes import HIT, ORDER
from pipeline.comparison.words import in_words, p_value_in_words, pushed, rank_in_words, verdict

# Of classes and queries, each way; the page shows more.
_NAMED = 4
_VERDICT_STYLES = {"better": "green", "worse": "red", "": ""}


def print_comparison(content: Mapping[str, Any], console: Console) -> None:
    """Prints what a comparison found."""
    for run in content["runs"]:
        role = "  (reference)" if run is content["runs"][0] else ""
        took = duration(run["duration_seconds"])
        console.print(
            f"[bold]{run['letter']}[/bold]  {escape(run['label'])}{role}: "
            f"{escape(run['dataset'])}, {run['status']} after {took}, {pushed(run)}",
            soft_wrap=True,
        )
    for text in content["cautions"]:
        console.print(f"\n[bold red]CAUTION[/bold red]  {escape(text)}", soft_wrap=True)
    for split in content["splits"]:
        for place, changes in enumerate(split["changes"], start=1):
            _print_changes(content, split, changes, place, console)
    for text in content["notes"]:
        console.print(f"\nnote  {escape(text)}", soft_wrap=True)
    _print_settings(content, console)
    _print_code(content["components"], console)
    for queries in content["queries"]:
        _print_classes(content, queries["run"], console)
        _print_queries(content, queries, console)


def _print_changes(
    content: Mapping[str, Any],
    split: Mapping[str, Any],
    changes: Mapping[str, Any],
    place: int,
    console: Console,
) -> None:
    """The metrics of a split in the reference and in one other run."""
    reference, other = content["runs"][0]["letter"], changes["run"]
    console.print(
        f"\n[bold]{split['name']}[/bold], {other} against {reference}: "
        f"{counted(split['queries'], 'common query', 'common queries')}"
    )
    table = _table("", [reference, other, "change", "95 % interval"], [""])
    for metric, found in changes["metrics"].items():
        values = split["metrics"][metric]
        word = verdict(found)
        table.add_row(
            name_of(metric),
            number(values[0], 4),
            number(values[place], 4),
            change(found["value"], 4),
            change_interval(found, 4),
            word,
            style=_VERDICT_STYLES[word],
        )
    console.print(table)
    hits = changes[HIT]
    console.print(
        f"nearest is right in {reference} alone: {count(hits['only_reference'])}, "
        f"in {other} alone: {count(hits['only_other'])} "
        f"(McNemar’s test: {p_value_in_words(hits['p_value'])}); "
        f"in both: {count(hits['both'])}, in neither: {count(hits['neither'])}",
        soft_wrap=True,
    )


def _print_settings(content: Mapping[str, Any], console: Console) -> None:
    letters = [run["letter"] for run in content["runs"]]
    if not content["settings"]:
        console.print("\nsettings: all the same")
        return
    console.print()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("settings that differ", overflow="fold")
    for letter in letters:
        table.add_column(letter, overflow="fold")
    for setting in content["settings"]:
        table.add_row(
            escape(setting["key"]), *(escape(in_words(value)) for value in setting["values"])
        )
    console.print(table)


def _print_code(components: Sequence[Mapping[str, Any]], console: Console) -> None:
    differing = [step["id"] for step in components if step["same_code"] is False]
    if differing:
        console.print(f"code that differs: {', '.join(differing)}", soft_wrap=True)
    else:
        console.print("code: the same, as far as the runs tell")


def _print_classes(content: Mapping[str, Any], other: str, console: Console) -> None:
    """The classes whose MAP@R changed most, of the split that queries are shown of."""
    split = next(s for s in content["splits"] if s["name"] == content["subject"])
    changes = next(c for c in split["changes"] if c["run"] == other)
    reference = content["runs"][0]["letter"]
    moved = [found for found in changes["classes"] if found["change"][ORDER]["value"]]
    if not moved:
        return
    console.print()
    table = _table(
        f"classes of {split['name']} that changed most", ["n", "MAP@R", "change", "95 % interval"]
    )
    for found in moved[:_NAMED]:
        table.add_row(
            escape(found["name"]),
            str(found["queries"]),
            f"{number(found['reference'][ORDER])} → {number(found['other'][ORDER])}",
            change(found["change"][ORDER]["value"]),
            change_interval(found["change"][ORDER]),
        )
    console.print(table)
    console.print(f"[dim]{reference} → {other}; n: queries[/dim]")


def _print_queries(
    content: Mapping[str, Any], queries: Mapping[str, Any], console: Console
) -> None:
    reference, other = content["runs"][0]["letter"], queries["run"]
    console.print(
        f"\n{content['subject']}, {other} against {reference}: "
        f"{counted(queries['better'], 'query', 'queries')} better, "
        f"{count(queries['worse'])} worse, {count(queries['same'])} the same",
        soft_wrap=True,
    )
    if not queries["most_better"] and not queries["most_worse"]:
        return
    table = _table("", ["MAP@R", "first of its class"])
    for title, key in (("better", "most_better"), ("worse", "most_worse")):
        for row in queries[key][:_NAMED]:
            was, is_now = (row["runs"][letter] for letter in (reference, other))
            table.add_row(
                f"{title}  {escape(row['id'])} ({escape(row['class_name'])})",
                f"{number(was['map_at_r'])} → {number(is_now['map_at_r'])}",
                f"{rank_in_words(was['first_relevant_rank'])} → "
                f"{rank_in_words(is_now['first_relevant_rank'])}",
            )
    console.print(table)


def _table(first: str, numbers: Sequence[str], words: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold")
    for title in numbers:
        table.add_column(title, justify="right", no_wrap=True)
    for title in words:
        table.add_column(title, no_wrap=True)
    return table
