"""The table of several variants trained with several seeds, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

METRICS = ("recall_at_1", "map_at_r", "accuracy", "nearest_train_accuracy", "intra_inter")
TITLES = ("recall@1", "MAP@R", "accuracy", "1-NN accuracy", "intra/inter")


def table(rows: list[dict[str, Any]], names: Sequence[str], base: str) -> str:
    """Mean and spread of each variant, and its paired difference to the base, in Markdown.

    Args:
        rows: Results.
        names: Variants in the order of the table; those without a row are left out.
        base: One of them.
    """
    import numpy as np

    by_variant: dict[str, dict[int, dict[str, Any]]] = {}
    for row in rows:
        by_variant.setdefault(row["variant"], {})[row["seed"]] = row
    shown = [name for name in names if name in by_variant]
    lines = [
        f"| variant | seeds | {' | '.join(TITLES)} | minutes of CPU |",
        "|---|---|" + "---|" * (len(TITLES) + 1),
    ]

    def cell(values: Any, sign: str = "") -> str:
        if np.isnan(values).any():
            return "–"
        spread = f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else ""
        return f"{values.mean():{sign}.3f}{spread}"

    for variant in shown:
        runs = by_variant[variant]
        cells = [cell(np.array([run[m] for run in runs.values()])) for m in METRICS]
        minutes = np.mean([run["cpu_seconds"] for run in runs.values()]) / 60
        lines.append(f"| {variant} | {len(runs)} | {' | '.join(cells)} | {minutes:.1f} |")
    lines += [
        "",
        f"Difference to {base} with the same seed:",
        "",
        f"| variant | seeds | {' | '.join(TITLES)} |",
        "|---|---|" + "---|" * len(TITLES),
    ]
    of_base = by_variant.get(base, {})
    for variant in (name for name in shown if name != base):
        seeds = sorted(set(by_variant[variant]) & set(of_base))
        if seeds:
            cells = [
                cell(np.array([by_variant[variant][s][m] - of_base[s][m] for s in seeds]), "+")
                for m in METRICS
            ]
            lines.append(f"| {variant} | {len(seeds)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
