"""What a run came to: `summary.json`, and the table a person reads at its end."""

from __future__ import annotations

import json
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline import gallery_summary, serving_summary
from pipeline.lineage import Run
from pipeline.progress import Step

FILE = "summary.json"

SHOWN = ("recall_at_1", "recall_at_5", "map_at_r")

# Images of a kind that are printed.
_NAMED = 3


def build_summary(
    *,
    about: Mapping[str, Any],
    preset: str,
    status: str,
    steps: Sequence[Step],
    run: Run | None,
    split_sizes: Mapping[str, int],
    seconds: float,
    leave_out: bool = False,
    error: str | None = None,
) -> dict[str, Any]:
    """Collects a run's results.

    Args:
        about: What is known of the run before it begins: its `name`, `started`, `dataset`,
            `environment`.
        preset: Name of the preset it ran with.
        status: `succeeded`, `failed` or `interrupted`.
        steps: The components that were started.
        run: What they wrote; None if nothing.
        split_sizes: Images by split, before ingestion looked at them.
        seconds: Duration of the whole run.
        leave_out: Whether near-duplicates took no part in the evaluation.
        error: Why it did not succeed.

    Returns:
        The content of `summary.json`.
    """
    outputs = run.outputs if run else {}
    metrics: dict[str, dict[str, float]] = {}
    intervals: dict[str, dict[str, tuple[float, float]]] = {}
    differences: dict[str, dict[str, float]] = {}
    reasons: list[str] = []
    evaluations = {"validation": "Evaluator", "test": "TestEvaluator"}
    for split, component in evaluations.items():
        if evaluation := outputs.get((component, "evaluation")):
            from components.retrieval_evaluator.results import read_differences, read_intervals

            measured = read_intervals(evaluation.uri)
            metrics[split] = {name: metric.value for name, metric in measured.items()}
            intervals[split] = {
                name: (metric.low, metric.high)
                for name, metric in measured.items()
                if math.isfinite(metric.low)
            }
            if component == "Evaluator":
                differences = {
                    name: metric._asdict()
                    for name, metric in read_differences(evaluation.uri).items()
                }
    blessing = outputs.get(("Evaluator", "blessing"))
    blessed = bool(blessing.properties.get("blessed")) if blessing else None
    if blessed is False:
        from components.retrieval_evaluator.results import failed_thresholds

        reasons = failed_thresholds(outputs["Evaluator", "evaluation"].uri)
    pushed = outputs.get(("Pusher", "pushed_model"))
    path = pushed.properties.get("pushed_destination") if blessed and pushed else None
    ingestion = _ingestion(run)
    return {
        "status": status,
        "error": error,
        **about,
        "preset": preset,
        "run_id": run.id if run else None,
        "components": [
            {
                "id": step.id,
                "seconds": None if step.seconds is None else round(step.seconds, 3),
                "cached": step.cached,
            }
            for step in steps
        ],
        "images": ingestion["images"] if ingestion else dict(split_sizes),
        "bad_images": ingestion["bad_images"] if ingestion else [],
        "duplicates": ingestion["duplicates"] if ingestion else [],
        "near_duplicates": _near_duplicates(run),
        "near_duplicates_left_out": leave_out,
        "metrics": metrics,
        "confidence_intervals": intervals,
        "difference_to_baseline": differences,
        **_training(run),
        "blessed": blessed,
        "not_blessed_because": reasons,
        "serving_check": serving_summary.read(run),
        "pushed_model": path,
        "held_back": pushed.properties.get("held") if pushed else None,
        **gallery_summary.read(run),
        "duration_seconds": round(seconds, 3),
    }


def _ingestion(run: Run | None) -> dict[str, Any] | None:
    """What ingestion left, could not use, and found to be copies; None if it did not come to it."""
    examples = run.outputs.get(("TfdsExampleGen", "examples")) if run else None
    if examples is None:
        return None
    # Spelled out, since importing the component's report would import TensorFlow.
    with open(os.path.join(examples.uri, "ingestion.json"), encoding="utf-8") as file:
        return json.load(file)


def _near_duplicates(run: Run | None) -> list[dict[str, Any]] | None:
    """Images that look like one of an earlier split; None if nobody looked for them."""
    found = run.outputs.get(("LeakCheck", "near_duplicates")) if run else None
    if found is None:
        return None
    # Spelled out, as above.
    with open(os.path.join(found.uri, "near_duplicates.json"), encoding="utf-8") as file:
        return json.load(file)["images"]


def _training(run: Run | None) -> dict[str, Any]:
    """How training went, as the Trainer measured it.

    Returns:
        `frozen_backbone`, validation metrics of the backbone before training, by split; `training`,
        losses, retrieval and health of centers in the epoch whose weights were taken, with `epoch`
        (from 1) and `epochs`; None where nothing was trained.
    """
    trained = run.outputs.get(("Trainer", "model_run")) if run else None
    if trained is None:
        return {"frozen_backbone": {}, "training": None}
    # Spelled out, since importing the Trainer's module would import TensorFlow.
    with open(os.path.join(trained.uri, "history.json"), encoding="utf-8") as file:
        history = json.load(file)
    epochs = history["epochs"]
    best = history["best_epoch"]
    return {
        "frozen_backbone": {"validation": history["frozen"]},
        "training": {"epochs": len(epochs), "epoch": best, **epochs[best - 1]} if best else None,
    }


def write_summary(workdir: str | os.PathLike[str], summary: Mapping[str, Any]) -> pathlib.Path:
    """Writes `summary.json`, whole or not at all, and returns its path."""
    path = pathlib.Path(workdir) / FILE
    partial = path.with_suffix(".partial")
    text = json.dumps(_finite(summary), indent=2, ensure_ascii=False, allow_nan=False)
    partial.write_text(text + "\n", "utf-8")
    partial.replace(path)
    return path


def _finite(value: Any) -> Any:
    """The same with null for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _about_data(summary: Mapping[str, Any]) -> list[str]:
    """What a person should know of images that were left out, or are there twice."""
    lines = []
    if bad := summary["bad_images"]:
        names = ", ".join(image["id"] for image in bad[:_NAMED])
        more = ", …" if len(bad) > _NAMED else ""
        lines.append(
            f"images left out because they cannot be decoded: {len(bad)} ({names}{more}); "
            "the summary says why"
        )
    if groups := summary["duplicates"]:
        leaks = sum(len({image["split"] for image in group["images"]}) > 1 for group in groups)
        dropped = sum(len(group["dropped"]) for group in groups)
        if dropped:
            end = f", {dropped} copies dropped"
        elif leaks:
            end = ", kept (data.drop_leaks=true drops the copies)"
        else:
            end = ""
        lines.append(
            f"images that occur more than once: {len(groups)}, across splits: {leaks}{end}"
        )
    if found := summary["near_duplicates"]:
        named = [f"{image['id']} like {image['original_id']}" for image in found[:_NAMED]]
        more = ", …" if len(found) > _NAMED else ""
        end = (
            "left out of the evaluation"
            if summary["near_duplicates_left_out"]
            else "kept (evaluation.near_duplicates=leave_out leaves them out)"
        )
        lines.append(
            "images that look like one of an earlier split: "
            f"{len(found)} ({', '.join(named)}{more}), {end}"
        )
    return lines


def _about_training(summary: Mapping[str, Any]) -> list[str]:
    """A word of caution where training did not help."""
    frozen = summary["frozen_backbone"].get("validation", {}).get("recall_at_1")
    trained = summary["metrics"].get("validation", {}).get("recall_at_1")
    if not summary["training"] or frozen is None or trained is None or trained >= frozen:
        return []
    return ["the trained model retrieves worse on validation than the backbone it started from"]


def _about_comparison(summary: Mapping[str, Any]) -> list[str]:
    """How the model compares with the last blessed one on the same queries."""
    change = summary["difference_to_baseline"].get("recall_at_1")
    if change is None:
        return []
    line = f"against the last blessed model, validation recall@1 changed by {change['value']:+.4f}"
    if math.isfinite(change["low"]):
        line += f" (95 %: {change['low']:+.4f} … {change['high']:+.4f})"
    return [line]


def _numbers(values: Mapping[str, float], names: Sequence[str]) -> list[str]:
    return [f"{values[name]:.4f}" if name in values else "–" for name in names]


def print_summary(summary: Mapping[str, Any], console: Console) -> None:
    """Prints the results as a table, then the verdict in words."""
    table = Table(pad_edge=False, box=None, header_style="bold")
    table.add_column("", no_wrap=True)
    sizes = {split: f"{split} ({count} images)" for split, count in summary["images"].items()}
    frozen, trained = summary["frozen_backbone"], summary["metrics"]
    shown = [
        n for n in SHOWN if any(n in values for values in (*frozen.values(), *trained.values()))
    ]
    for name in shown:
        table.add_column(name, justify="right", no_wrap=True)
    for split, values in frozen.items():
        table.add_row(f"frozen backbone, {sizes[split]}", *_numbers(values, shown))
    for split, values in trained.items():
        table.add_row(f"trained, {sizes[split]}", *_numbers(values, shown))
        if bounds := summary["confidence_intervals"].get(split):
            # Student's t intervals are symmetric, and two bounds would not fit 80 columns.
            halves = {name: (high - low) / 2 for name, (low, high) in bounds.items()}
            texts = [f"± {halves[name]:.4f}" if name in halves else "–" for name in shown]
            table.add_row("  95 % confidence", *texts, style="dim")
    console.print()
    if shown:
        console.print(table)
        console.print()
    about = [
        *_about_comparison(summary),
        *_about_data(summary),
        *_about_training(summary),
        *gallery_summary.about(summary["routed_search"]),
        *serving_summary.about(summary["serving_check"]),
    ]
    for line in about:
        console.print(line, soft_wrap=True, markup=False)
    failed = serving_summary.why_not_pushed(summary["serving_check"])
    if summary["pushed_model"]:
        console.print(f"blessed  pushed to {summary['pushed_model']}", soft_wrap=True, markup=False)
    elif summary["blessed"] and failed:
        console.print("blessed, but NOT pushed:")
    elif summary["blessed"] and summary["held_back"]:
        console.print(
            f"blessed, and not pushed: {summary['held_back']}", soft_wrap=True, markup=False
        )
    elif summary["blessed"]:
        console.print("blessed, and not pushed by this part of the pipeline")
    elif summary["blessed"] is None:
        console.print("not evaluated by this part of the pipeline")
    else:
        console.print("not blessed, so not pushed:")
    for reason in (*summary["not_blessed_because"], *failed):
        console.print(f"  {reason}", soft_wrap=True, markup=False)
