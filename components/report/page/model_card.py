"""The model card, after Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.

It is the source of the page's first part, and a file of its own. Schema (JSON; every value may be
null where it is not known, lists may be empty):

    schema_version      1
    model_details       name, version (of the pushed model), created (ISO 8601), run, owner,
                        license, architecture, training, software (this project and its version)
    intended_use        primary_use, out_of_scope
    factors             groups: what the metrics are broken down by; classes: how many
    metrics             measures: [{key, name, definition}]; uncertainty: how intervals are made;
                        decision_thresholds: [str]; blessed (bool), reasons: [str]
    training_data       dataset, version, split, images, classes
    evaluation_data     [{split, images, queries, protocol}]
    quantitative_analyses
                        overall: {split: {metric: {value, low, high, change: {value, low, high} or
                        null}}}; class_balanced: {metric: value}, of the split `subject`;
                        worst_classes, best_classes: [{name, queries, recall_at_1, low, high}]
    caveats             [str], computed from the findings (`limits.py`) and from what is served
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from components.report.page import facts
from components.report.page.facts import Content, Context
from components.report.page.formats import metric_name, number
from components.report.page.headline import DEFINITIONS
from components.report.page.limits import limits

_CLASSES = 5

UNCERTAINTY = (
    "95 % intervals of all queries: Student’s t on a jackknife over 20 parts of the queries, drawn "
    "no farther than 0 and 1; those of changes are paired, since both models answer the same "
    "queries. 95 % intervals of a class: Wilson’s."
)


def model_card(content: Content, context: Context) -> dict[str, Any]:
    """Makes the card.

    Args:
        content: The findings.
        context: What is known of the run, see `render.py`.

    Returns:
        An object for JSON, of the schema above.
    """
    card = context.get("card") or {}
    classes = content.get("classes")
    rows = content.get("per_class") or []
    return {
        "schema_version": 1,
        "model_details": _details(context),
        "intended_use": {
            "primary_use": card.get("intended_use"),
            "out_of_scope": card.get("out_of_scope"),
        },
        "factors": {
            "groups": "the class of the query",
            "classes": len(classes) if classes else None,
        },
        "metrics": {
            "measures": [
                {"key": key, "name": metric_name(key), "definition": DEFINITIONS[key]}
                for key in DEFINITIONS
                if any(
                    facts.measured(content, split, key) for split in facts.evaluated_splits(content)
                )
            ],
            "uncertainty": UNCERTAINTY,
            "decision_thresholds": _thresholds(content, context),
            "blessed": content.get("blessed"),
            "reasons": list(content.get("not_blessed_because") or ()),
        },
        "training_data": _training_data(content, context),
        "evaluation_data": [
            {
                "split": split,
                "images": facts.images(content, split),
                "queries": facts.queries(content, split),
                "protocol": facts.protocol(content, context, split),
            }
            for split in facts.evaluated_splits(content)
        ],
        "quantitative_analyses": {
            "overall": {
                split: _overall(content, split) for split in facts.evaluated_splits(content)
            },
            "subject": content.get("subject"),
            "class_balanced": dict(content.get("balanced") or {}),
            "worst_classes": [_class(row) for row in rows[:_CLASSES]],
            "best_classes": [_class(row) for row in rows[_CLASSES:][-_CLASSES:][::-1]],
        },
        "caveats": limits(content, context),
    }


def _details(context: Context) -> dict[str, Any]:
    card, run = context.get("card") or {}, context.get("run") or {}
    pushed, version = context.get("pushed_model"), context.get("project_version")
    return {
        "name": context.get("title"),
        "version": os.path.basename(str(pushed).rstrip("/")) if pushed else None,
        "created": run.get("started"),
        "run": run.get("name") or run.get("id"),
        "owner": card.get("owner"),
        "license": card.get("license"),
        "architecture": _architecture(context),
        "training": _training(context),
        "software": f"flowersim {version}" if version else None,
    }


def _architecture(context: Context) -> str | None:
    backbone = facts.setting(context, "model.backbone")
    if backbone is None:
        return None
    pixels = facts.setting(context, "model.input_size")
    dimensions = facts.setting(context, "model.embedding_dim")
    weights = facts.setting(context, "model.weights")
    pooled = not dimensions or facts.setting(context, "model.compared_layer") == "pooled"
    return (
        f"{backbone} at {pixels} × {pixels} pixels, "
        + ("starting from ImageNet weights" if weights == "imagenet" else "from random weights")
        + ("; its pooled features" if pooled else f"; an embedding of {dimensions} dimensions")
        + ", compared by cosine"
    )


def _training(context: Context) -> str | None:
    epochs = facts.setting(context, "training.epochs")
    if epochs is None:
        return None
    if epochs == 0:
        return "none"
    losses = [
        f"{name} ({number(weight, 2)})"
        for name, key in _weights(context)
        if (weight := facts.setting(context, key))
    ]
    return f"{epochs} epochs on {', '.join(losses)}" if losses else f"{epochs} epochs"


def _weights(context: Context) -> Iterator[tuple[str, str]]:
    """The losses, and the settings of their weights: `training.NAME.weight`, with its `_loss`."""
    yield "cross-entropy", "training.cross_entropy_weight"
    for item in context.get("settings") or ():
        if section := re.fullmatch(r"training\.(\w+)\.weight", item["key"]):
            yield f"{section[1].removesuffix('_loss').replace('_', ' ')} loss", item["key"]


def _thresholds(content: Content, context: Context) -> list[str]:
    """What the model had to reach, and from where on it calls two images a match."""
    found = []
    for key, name in (("min_recall_at_1", "recall@1"), ("min_map_at_r", "MAP@R")):
        least = facts.setting(context, f"evaluation.{key}")
        if least:
            found.append(f"blessed with {name} of at least {least} on validation")
    drop = facts.setting(context, "evaluation.allowed_drop")
    if drop is not None:
        found.append(f"and a recall@1 at most {drop} below that of the last blessed model")
    threshold = (content.get("scores") or {}).get("threshold")
    if threshold is not None:
        found.append(f"a neighbour is called a match from cosine {number(threshold)} on")
    return found


def _training_data(content: Content, context: Context) -> dict[str, Any]:
    data = context.get("data") or {}
    return {
        "dataset": data.get("dataset"),
        "version": data.get("version"),
        "split": "train",
        "images": facts.images(content, "train"),
        "classes": len(content.get("classes") or ()) or None,
    }


def _overall(content: Content, split: str) -> dict[str, Any]:
    metrics = content["evaluations"][split].get("metrics") or {}
    return {
        name: {**found, "change": facts.difference(content, split, name)}
        for name, found in metrics.items()
    }


def _class(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in ("name", "queries", "recall_at_1", "low", "high")}
