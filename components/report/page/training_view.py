"""The section on training: losses, validation retrieval and the health of the centers by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from components.report.page.charts import line_chart
from components.report.page.formats import number


class _Chart(NamedTuple):
    title: str
    how: str
    y_label: str
    series: dict[str, str]  # names on the chart by name in the history
    levels: dict[str, str] = {}  # the same, of the frozen backbone's values


_CHARTS = (
    _Chart(
        "Validation retrieval",
        "Leave-one-out within validation after each epoch; the higher the better. Dotted: the same "
        "network before any training.",
        "mean over queries",
        {"val_recall_at_1": "recall@1", "val_map_at_r": "MAP@R"},
        {"recall_at_1": "recall@1 untrained", "map_at_r": "MAP@R untrained"},
    ),
    _Chart(
        "Losses",
        "Means over the training images of an epoch, under augmentation. The total is weighted, "
        "its parts are not.",
        "loss",
        # Other parts, whatever was trained, come behind these: `_losses`.
        {"loss": "total", "classification_loss": "classification", "center_loss": "center"},
    ),
    _Chart(
        "Training accuracy",
        "Share of training images that the classifier names rightly in the epoch, under "
        "augmentation.",
        "accuracy",
        {"accuracy": "accuracy"},
    ),
    _Chart(
        "Centers",
        "Mean length of the class centers (with normalised center loss, the nearer 1 the tighter "
        "the classes) and the smallest distance between two of them. Both near 0: the embedding "
        "collapses.",
        "length or distance",
        {"center_norm": "mean length", "center_distance_min": "smallest distance"},
    ),
    _Chart(
        "Separation on validation",
        "Solid: distance within classes over distance between them, √(within / between), the "
        "smaller the better. Dashed: mean squared distance between class means; near 0, the "
        "embedding has collapsed.",
        "ratio or distance²",
        {"val_intra_inter": "within / between", "val_between_classes": "between"},
    ),
)


def training_view(training: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Returns `figures` (arguments of the macro `figure`), `epochs`, `best_epoch` and `summary`.

    Args:
        training: The history: `frozen`, `best_epoch`, `epochs`.

    Returns:
        None where nothing was trained.
    """
    epochs = (training or {}).get("epochs") or []
    if not training or not epochs:
        return None
    best = training.get("best_epoch")
    figures = [figure for chart in _CHARTS if (figure := _figure(chart, training, epochs, best))]
    return {
        "figures": figures,
        "epochs": len(epochs),
        "best_epoch": best,
        "summary": _summary(epochs, best),
    }


def _summary(epochs: Sequence[Mapping[str, Any]], best: int | None) -> str:
    if best is None or not 1 <= best <= len(epochs):
        return ""
    kept = epochs[best - 1]
    said = f"The weights after epoch {best} of {len(epochs)} were kept"
    if kept.get("val_map_at_r") is not None:
        said += (
            f", with MAP@R {number(kept['val_map_at_r'])} and recall@1 "
            f"{number(kept.get('val_recall_at_1'))} on validation"
        )
    return said + "."


def _figure(
    chart: _Chart,
    training: Mapping[str, Any],
    epochs: Sequence[Mapping[str, Any]],
    best: int | None,
) -> dict[str, Any] | None:
    names = {**chart.series, **_losses(epochs)} if "loss" in chart.series else chart.series
    series = {
        name: [epoch.get(key) for epoch in epochs]
        for key, name in names.items()
        if any(epoch.get(key) is not None for epoch in epochs)
    }
    if not series:
        return None
    frozen = training.get("frozen") or {}
    levels = {
        name: frozen[key] for key, name in chart.levels.items() if frozen.get(key) is not None
    }
    description = "; ".join(_in_words(name, values) for name, values in series.items())
    if levels:
        description += "; " + ", ".join(f"{name} {number(value)}" for name, value in levels.items())
    return {
        "title": chart.title,
        "how": chart.how,
        "svg": line_chart(
            series,
            title=chart.title,
            description=f"By epoch: {description}.",
            x_label="epoch",
            y_label=chart.y_label,
            mark=best,
            levels=levels,
        ),
        "header": ["epoch", *series],
        "rows": [
            [f"{step} (kept)" if step == best else step, *(number(value) for value in values)]
            for step, values in enumerate(zip(*series.values(), strict=True), 1)
        ],
    }


def _losses(epochs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Names of the parts of the loss, whichever were trained: values called `NAME_loss`."""
    keys = dict.fromkeys(key for epoch in epochs for key in epoch if key.endswith("_loss"))
    return {key: key.removesuffix("_loss").replace("_", " ") for key in keys}


def _in_words(name: str, values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return (
        f"{name} from {number(known[0])} to {number(known[-1])} "
        f"(lowest {number(min(known))}, highest {number(max(known))})"
    )
