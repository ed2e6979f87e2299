"""Prints an evaluation of embeddings, and writes it as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from retrieval.evaluation import Evaluation


def write_evaluation(path: pathlib.Path, found: Evaluation) -> None:
    """Writes all of it; a value that does not exist is null."""
    plain = dataclasses.asdict(found)
    plain["means"] = {name: mean._asdict() for name, mean in found.means.items()}
    text = json.dumps(_without_nan(plain), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", "utf-8")


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_evaluation(found: Evaluation, console: Console, *, classes: int = 10) -> None:
    """Prints the tables a person reads.

    Args:
        found: The evaluation.
        console: Where to.
        classes: How many of the worst classes are named.
    """
    left_out = ""
    if found.without_relevant:
        left_out = (
            f"; {found.without_relevant} queries have no image of their class to find and are in "
            "no mean"
        )
    console.print(f"{found.queries} queries, {found.gallery} images searched{left_out}\n")
    table = _table("metric", "mean", "95% interval", "mean over classes")
    for name, mean in found.means.items():
        table.add_row(
            name, _number(mean.mean), _interval(mean.low, mean.high), _number(found.balanced[name])
        )
    console.print(table)
    console.print()
    table = _table("of all queries and pairs", "value")
    for k, accuracy in found.knn_accuracy.items():
        table.add_row(f"{k}-NN accuracy", _number(accuracy))
    for name, value in found.pairs.items():
        table.add_row(f"pairs: {name}", _number(value))
    for method, values in found.clusters.items():
        table.add_row(
            f"clusters by {method}: NMI, AMI",
            f"{_number(values['nmi'])}, {_number(values['ami'])}",
        )
    console.print(table)
    console.print()
    table = _table(f"worst of {len(found.classes)} classes", "queries", "recall_at_1", "map_at_r")
    for result in found.classes[:classes]:
        table.add_row(
            escape(result.label),
            str(result.queries),
            _number(result.recall_at_1),
            _number(result.map_at_r),
        )
    console.print(table)
    console.print()
    table = _table("hardest queries", "class", "first of its class at rank", "map_at_r")
    for query in found.hardest:
        table.add_row(
            escape(query.id),
            escape(query.label),
            str(query.first_relevant_rank),
            _number(query.map_at_r),
        )
    console.print(table)


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold")
    for title in others:
        table.add_column(title, justify="right", overflow="fold")
    return table


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "–"


def _interval(low: float, high: float) -> str:
    return f"{_number(low)} … {_number(high)}"
