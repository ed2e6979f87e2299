"""The drift report as a person reads it, and as files."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# Of a list of ids and classes.
_NAMED = 5


def print_report(report: Mapping[str, Any], console: Console) -> None:
    """Prints what the log holds, a table of both sides, and the verdict with its reasons."""
    for line in _about_log(report):
        console.print(escape(line), soft_wrap=True)
    if comparison := report["comparison"]:
        console.print()
        console.print(_table(report, comparison))
        if report["threshold"] is None:
            console.print(
                "the model calls nothing a match: no score is as precise as "
                "gallery.match_precision asks for",
                soft_wrap=True,
            )
    console.print()
    verdict = "drifted" if report["drifted"] else "not drifted" if report["decided"] else "unknown"
    console.print(f"[bold]{verdict}[/bold]")
    for reason in report["reasons"]:
        console.print(f"  {escape(reason)}", soft_wrap=True)


def write_report(path: pathlib.Path, report: Mapping[str, Any]) -> None:
    """Writes the report as JSON, whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    partial.replace(path)


def _about_log(report: Mapping[str, Any]) -> list[str]:
    log = report["requests"]
    since = f"begun {log['begun']}, " if log["begun"] else ""
    lines = [
        f"log  {log['photos']} photos asked about in {log['files']} files, "
        f"{since}last written {log['written']}",
        f"examined  {report['examined']} different photos",
    ]
    if log["undecodable"]:
        lines.append(f"that the served model cannot decode: {log['undecodable']}")
    if log["models"]:
        lines.append(f"answered by  {_counts(log['models'].items())}")
    if log["skipped"]:
        lines.append(f"other records, passed over  {_counts(log['skipped'].items())}")
    if cut := log["cut_files"]:
        more = ", …" if len(cut) > _NAMED else ""
        lines.append(
            f"files whose last records cannot be read: {len(cut)} ({', '.join(cut[:_NAMED])}{more})"
        )
    for name in ("classes", "ids"):
        if log[name]:
            lines.append(f"{name} answered most often  {_counts(log[name][:_NAMED])}")
    return lines


def _counts(items: Any) -> str:
    return ", ".join(f"{name}: {number}" for name, number in items)


def _table(report: Mapping[str, Any], found: Mapping[str, Any]) -> Table:
    config = report["config"]
    embeddings, scores, rise = found["embeddings"], found["scores"], found["rise"]
    table = Table(pad_edge=False, box=None, header_style="bold")
    for name in (
        "",
        f"logged ({found['photos']})",
        f"{config['reference_split']} ({found['reference']})",
        "difference",
        "limit",
        "p",
    ):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    table.add_row(
        "without a match",
        f"{found['out_of_gallery']:.1%}",
        f"{found['reference_out_of_gallery']:.1%}",
        f"{100 * rise['value']:+.1f} ({100 * rise['low']:+.1f} … {100 * rise['high']:+.1f})",
        f"{100 * config['allowed_rise']:+.1f}",
        "",
    )
    table.add_row(
        "best score",
        f"{found['best_score']:.3f}",
        f"{found['reference_best_score']:.3f}",
        f"{scores['drop']:.3f}",
        f"{config['smallest_score_drop']:.3f}",
        f"{scores['p_value']:.2g}",
    )
    table.add_row(
        "embeddings",
        "",
        "",
        f"{embeddings['effect']:.3f}",
        f"{config['smallest_effect']:.3f}",
        f"{embeddings['p_value']:.2g}",
    )
    return table
