"""Plausible findings of a run that never was, with drawn pictures, for the tests of the page."""

from __future__ import annotations

import colorsys
import functools
import io
import math
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

HOSTILE = """</script><script>alert("x")</script>"""
HOSTILE_TOO = """a " onerror='alert(1)' <img src=x> & $x^2$"""
TILE, COLUMNS = 32, 16


def names(count: int) -> list[str]:
    """Class names, the first two of which no page may take for its own text."""
    return sorted([HOSTILE, HOSTILE_TOO, *(f"species {n:03}" for n in range(count - 2))])


def tile_colour(number: int) -> tuple[int, int, int]:
    """The colour of an image's tile in the sprite: near images have far colours."""
    red, green, blue = colorsys.hsv_to_rgb((number * 0.381966) % 1, 0.7, 0.85)
    return round(red * 255), round(green * 255), round(blue * 255)


@functools.lru_cache(maxsize=512)
def flower(seed: int) -> bytes:
    """A drawn flower."""
    image = Image.new("RGB", (96, 96), (70 + seed * 7 % 60, 110 + seed * 5 % 60, 70))
    draw = ImageDraw.Draw(image)
    petals = 5 + seed % 5
    for petal in range(petals):
        angle = 2 * math.pi * petal / petals
        x, y = 48 + 22 * math.cos(angle), 48 + 22 * math.sin(angle)
        draw.ellipse((x - 17, y - 17, x + 17, y + 17), fill=tile_colour(seed))
    draw.ellipse((36, 36, 60, 60), fill=(240, 200, 60))
    return _webp(image)


def pictures(content: dict[str, Any]) -> dict[str, bytes]:
    """Every picture that the content names."""
    found: dict[str, bytes] = {"map": _sprite(content["map"]["images"])}
    for number, key in enumerate(sorted(_keys(content) - {"map"})):
        found[key] = flower(number % 64)
    return found


def content(classes: int = 16, per_class: int = 10, baseline: bool = True) -> dict[str, Any]:
    """The findings of a test split with `per_class` queries of each class."""
    random = np.random.default_rng(7)
    named = names(classes)
    queries = classes * per_class
    right = [int(per_class - min(per_class, round(random.exponential(2.2)))) for _ in named]
    right[0], right[-1] = 1, per_class
    per = [_class(name, per_class, found) for name, found in zip(named, right, strict=True)]
    per.sort(key=lambda row: (row["recall_at_1"], row["name"]))
    recall = sum(right) / queries
    metrics = {
        "recall_at_1": recall,
        "recall_at_5": 0.9625,
        "recall_at_10": 0.9937,
        "map_at_r": 0.5155,
        "r_precision": 0.6125,
        "mean_average_precision": 0.6865,
        "mean_reciprocal_rank": 0.816,
        "ndcg_at_5": 0.6943,
    }
    measured = {
        name: {"value": value, "low": value - 0.045, "high": value + 0.045}
        for name, value in metrics.items()
    }
    differences = {
        "recall_at_1": {"value": 0.0125, "low": -0.01, "high": 0.035},
        "map_at_r": {"value": 0.0311, "low": 0.012, "high": 0.0502},
        "mean_reciprocal_rank": {"value": -0.021, "low": -0.04, "high": -0.002},
    }
    evaluation = {"queries": queries, "metrics": measured}
    return {
        "version": 1,
        "splits": [
            {"name": "train", "images": 2 * queries},
            {"name": "validation", "images": queries},
            {"name": "test", "images": queries},
        ],
        "classes": named,
        "data": _data(named, per_class),
        "training": _training(),
        "evaluations": {
            "validation": {**evaluation, "differences": differences if baseline else {}},
            "test": {**evaluation, "differences": {}},
        },
        "blessed": True,
        "not_blessed_because": [],
        "serving_check": {
            "ok": True,
            "reason": "",
            "photos": 8,
            "gallery_photos": 4,
            "load_seconds": 27.389,
            "latency": {"median_ms": 24.862, "p95_ms": 32.404, "requests": 40},
            "peak_memory_mb": 982.97,
        },
        "subject": "test",
        "protocol": {
            "queries": queries,
            "without_relevant": 0,
            "gallery": queries,
            "gallery_splits": ["test"],
            "left_out": False,
        },
        "balanced": {"recall_at_1": recall, "map_at_r": 0.51},
        "per_class": per,
        "confusions": [
            {
                "class_name": per[n]["name"],
                "other": per[n + 1]["name"],
                "queries": per_class,
                "wrong": 7 - n,
                "share": (7 - n) / per_class,
                "mutual": 3 if n == 0 else 0,
                "pictures": [f"test/{n}-{i}" for i in range(3)],
                "other_pictures": [f"test/{n + 1}-{i}" for i in range(3)],
            }
            for n in range(4)
        ],
        "sheets": {kind: _sheet(kind, named) for kind in ("best", "typical", "worst")},
        "scores": _scores(queries, recall),
        "map": _map(random, classes, per_class, right),
    }


def context() -> dict[str, Any]:
    """What is known of the run."""
    settings = [
        ("data.dataset", "synthetic_flowers", False),
        ("data.division.held_out_classes", 0.0, False),
        ("model.backbone", "efficientnet_lite0", False),
        ("model.weights", "imagenet", False),
        ("model.input_size", 96, True),
        ("model.embedding_dim", 128, True),
        ("training.epochs", 6, True),
        ("training.cross_entropy_weight", 1.0, False),
        ("training.center_loss.weight", 4.0, True),
        ("training.triplet.weight", 0.0, False),
        ("training.seed", 0, False),
        ("evaluation.gallery_splits", [], False),
        ("evaluation.min_recall_at_1", 0.6, True),
        ("evaluation.allowed_drop", 0.02, False),
        ("gallery.splits", ["train", "validation"], False),
    ]
    return {
        "title": "flowers",
        "project_version": "0.1.0",
        "run": {
            "name": "20261126-111651",
            "id": "2026-11-26T11:16:51.468524",
            "started": "2026-11-26T11:16:51+00:00",
            "status": "succeeded",
            "error": None,
            "duration_seconds": 267.4,
            "preset": "demo",
            "pipeline_name": "flowersim",
            "workdir": "runs/demo",
        },
        "pushed_model": "runs/demo/serving/flowers/1795523810",
        "held_back": None,
        "components": [
            {"id": "TfdsExampleGen", "seconds": 5.633, "cached": True},
            {"id": "Transform", "seconds": 24.974, "cached": False},
            {"id": "Trainer", "seconds": 117.797, "cached": False},
            {"id": "Evaluator", "seconds": 15.789, "cached": False},
        ],
        "data": {"dataset": "synthetic_flowers", "version": "1.0.0", "folder": "runs/demo/data"},
        "code": {"Trainer": "5f2d8c", "Evaluator": "0aa1b2"},
        "artifacts": [
            {
                "component": "Trainer",
                "output": "model",
                "type": "Model",
                "uri": "runs/demo/pipeline_root/Trainer/model/8",
                "id": 8,
                "created": 1795691940.25,
                "properties": {"kept_epoch": 5},
            }
        ],
        "settings": [
            {
                "key": key,
                "value": value,
                "default": value if not changed else 0,
                "changed": changed,
                "description": f"what {key} means",
            }
            for key, value, changed in settings
        ],
        "environment": {
            "python": "3.11.9",
            "platform": "Linux-6.1-x86_64",
            "cpu": "a processor",
            "cores": 2,
            "memory_gb": 16.4,
            "gpus": [],
            "packages": {"tensorflow": "2.16.2", "tfx": "1.16.0"},
        },
        "card": {
            "intended_use": "Finding images of a collection that look like a photo.",
            "out_of_scope": "Deciding without a person what a photo shows.",
            "owner": None,
            "license": "Apache-2.0",
        },
    }


def _class(name: str, queries: int, right: int) -> dict[str, Any]:
    share, z = right / queries, 1.96
    middle = (share + z * z / (2 * queries)) / (1 + z * z / queries)
    half = z * math.sqrt(share * (1 - share) / queries + (z / (2 * queries)) ** 2)
    half /= 1 + z * z / queries
    return {
        "name": name,
        "queries": queries,
        "recall_at_1": share,
        "map_at_r": share * 0.7,
        "low": max(0.0, middle - half),
        "high": min(1.0, middle + half),
    }


def _data(named: list[str], per_class: int) -> dict[str, Any]:
    return {
        "class_counts": [[2 * per_class, per_class, per_class + n % 3] for n in range(len(named))],
        "bad_images": [
            {
                "id": "train/broken.jpg",
                "split": "train",
                "class_name": named[3],
                "reason": "cut short <b>",
            }
        ],
        "bad_count": 1,
        "duplicates": {
            "groups": 1,
            "across_splits": 1,
            "dropped": 0,
            "shown": [
                {
                    "images": [
                        {"id": f"{split}/1", "split": split, "class_name": named[2], "picture": "d"}
                        for split in ("train", "test")
                    ],
                    "dropped": [],
                }
            ],
        },
        "near_duplicates": {
            "count": 1,
            "left_out": False,
            "shown": [
                {
                    "id": "test/7",
                    "split": "test",
                    "class_name": named[2],
                    "original_id": "train/5",
                    "original_split": "train",
                    "original_class_name": named[3],
                    "likeness": 0.93,
                    "cosine": 0.98,
                    "picture": "test/7",
                    "original_picture": "train/5",
                }
            ],
        },
    }


def _training() -> dict[str, Any]:
    return {
        "frozen": {
            "recall_at_1": 0.5625,
            "map_at_r": 0.2664,
            "intra_inter": 1.041,
            "between_classes": 0.3735,
        },
        "best_epoch": 5,
        "epochs": [
            {
                "loss": 4 / n,
                "classification_loss": 3 / n,
                "center_loss": 0.6 / n,
                "accuracy": 1 - 0.8 / n,
                "val_recall_at_1": 0.75 - 0.3 / n,
                "val_map_at_r": 0.5 - 0.2 / n if n != 2 else None,
                "val_intra_inter": 0.5 + 0.3 / n,
                "val_between_classes": 0.3 + 0.1 / n,
                "center_norm": 0.95 - 0.4 / n,
                "center_distance_min": 0.2 + 0.3 / n,
            }
            for n in range(1, 7)
        ],
    }


def _sheet(kind: str, named: list[str]) -> list[dict[str, Any]]:
    rights = {"best": 8, "typical": 5, "worst": 1}[kind]
    return [
        {
            "id": f"test/{kind}-{n}",
            "class_name": named[n % len(named)],
            "picture": f"test/{kind}-{n}",
            "map_at_r": rights / 8 - 0.01 * n,
            "first_relevant_rank": 1 if rights > 1 else 7,
            "relevant": 9,
            "neighbours": [
                {
                    "id": f"train/{kind}-{n}-{rank}",
                    "class_name": named[(n + (0 if rank < rights else rank)) % len(named)],
                    "split": "test",
                    "score": 0.95 - 0.03 * rank,
                    "same": rank < rights,
                    "picture": f"test/{n}-{rank % 4}",
                }
                for rank in range(8)
            ],
        }
        for n in range(8)
    ]


def _scores(queries: int, recall: float) -> dict[str, Any]:
    edges = np.linspace(-0.5, 1, 51)
    middles = (edges[1:] + edges[:-1]) / 2

    def bell(middle: float, width: float) -> list[float]:
        heights = np.exp(-(((middles - middle) / width) ** 2))
        return (heights / heights.sum()).tolist()

    right, wrong = queries * recall, queries * (1 - recall)
    return {
        "gallery": 3 * queries,
        "gallery_splits": ["train", "validation"],
        "edges": edges.tolist(),
        "same": bell(0.7, 0.2),
        "other": bell(0.1, 0.22),
        "nearest_right": [round(right * share) for share in bell(0.85, 0.1)],
        "nearest_wrong": [round(wrong * share) for share in bell(0.7, 0.12)],
        "threshold": 0.62,
        "precision_at_threshold": 0.91,
        "recall_at_threshold": 0.83,
        "area_under_roc": 0.957,
        "false_matches": [
            {"rate": 0.001, "misses": 0.41, "threshold": 0.71},
            {"rate": 0.01, "misses": 0.22, "threshold": 0.6},
        ],
    }


def _map(
    random: np.random.Generator, classes: int, per_class: int, right: list[int]
) -> dict[str, Any]:
    centers = random.uniform(80, 920, (classes, 2))
    labels = np.repeat(np.arange(classes), 2 * per_class)
    points = np.clip(centers[labels] + random.normal(0, 35, (len(labels), 2)), 0, 1000).round()
    # Half of a class are queries, of which so many are right.
    state = [
        -1 if n < per_class else int(n - per_class < right[label])
        for label in range(classes)
        for n in range(2 * per_class)
    ]
    return {
        "method": "t-SNE",
        "perplexity": 30,
        "images": len(labels),
        "of": len(labels),
        "x": points[:, 0].astype(int).tolist(),
        "y": points[:, 1].astype(int).tolist(),
        "classes": labels.tolist(),
        "splits": [0 if one < 0 else 2 for one in state],
        "right": state,
        "ids": [f"image/{n}" for n in range(len(labels))],
        "centers": [None, *centers[1:].round().astype(int).tolist()],
        "sprite": "map",
        "tile": TILE,
        "columns": COLUMNS,
    }


def _sprite(images: int) -> bytes:
    sheet = Image.new("RGB", (TILE * COLUMNS, TILE * math.ceil(images / COLUMNS)))
    for number in range(images):
        at = (number % COLUMNS * TILE, number // COLUMNS * TILE)
        sheet.paste(tile_colour(number), (*at, at[0] + TILE, at[1] + TILE))
    return _webp(sheet)


def _webp(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


def _keys(found: Any) -> set[str]:
    """Every picture key below."""
    if isinstance(found, list):
        return set().union(*map(_keys, found)) if found else set()
    if not isinstance(found, dict):
        return set()
    keys = set().union(*map(_keys, found.values())) if found else set()
    for name in ("picture", "original_picture", "sprite"):
        if isinstance(found.get(name), str):
            keys.add(found[name])
    for name in ("pictures", "other_pictures"):
        keys.update(found.get(name, ()))
    return keys
