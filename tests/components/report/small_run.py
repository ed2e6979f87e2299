"""The artifacts of a small run, written by themselves: no step of a pipeline has to run for them.

What is in them fits together: the evaluations hold the metrics of the embeddings, with a baseline
whose embeddings are noisier, the copies look alike. Not a fixture, so that also tests of other
rooms may use it; TensorFlow is imported only when it is called.
"""

from __future__ import annotations

import dataclasses
import io
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from components.report.sources import ReportConfig, Sources

if TYPE_CHECKING:
    from components.image_embedder.records import EmbeddedImage

SPLITS = ("train", "validation", "test")
# As names come: with capitals, other alphabets, and what HTML must not take for its own.
CLASS_NAMES = ("rose <b>&amp;", "Ёлка", "blue bell", "tulip", "ox-eye 'daisy'", "Zinnia")
PER_CLASS = {"train": 6, "validation": 4, "test": 5}
KS = (1, 5)
THRESHOLD = 0.6


@dataclasses.dataclass(frozen=True)
class SmallRun:
    """What was written.

    Attributes:
        sources: Where it is.
        config: The protocol that the evaluations followed.
        images: The embedded images, split by split.
    """

    sources: Sources
    config: ReportConfig
    images: list[EmbeddedImage]


def small_run(
    root: pathlib.Path,
    *,
    class_names: Sequence[str] = CLASS_NAMES,
    per_class: Mapping[str, int] | None = None,
    dim: int = 8,
    noise: float = 0.35,
    picture_size: int = 24,
    seed: int = 0,
    gallery_splits: tuple[str, ...] = (),
    left_out: bool = False,
    evaluated: bool = True,
) -> SmallRun:
    """Writes all artifacts of a run.

    Args:
        root: An empty or missing folder.
        class_names: The classes.
        per_class: Images of each class by split; `PER_CLASS` if None.
        dim: Of the embeddings.
        noise: How far images scatter around their class's center, for each dimension.
        picture_size: Shorter side of the thumbnails.
        seed: Of embeddings and pictures.
        gallery_splits: See `ReportConfig`.
        left_out: Likewise.
        evaluated: False leaves the evaluations out, for which TFMA must be imported.
    """
    images = draw_images(
        class_names, per_class or PER_CLASS, dim=dim, noise=noise, size=picture_size, seed=seed
    )
    splits = tuple(split for split in SPLITS if any(i.split == split.encode() for i in images))
    near = _near_duplicate(images)
    folder = {
        name: root / name
        for name in ("embeddings", "examples", "near_duplicates", "model_run", "serving_check")
    }
    for path in folder.values():
        path.mkdir(parents=True)
    write_images(folder["embeddings"], images)
    write_json(folder["examples"] / "ingestion.json", _ingestion(images, splits))
    write_json(folder["near_duplicates"] / "near_duplicates.json", {"images": near})
    write_json(folder["model_run"] / "history.json", HISTORY)
    write_json(folder["serving_check"] / "serving_check.json", SERVING_CHECK)
    evaluations = {}
    if evaluated:
        away = {found["id"].encode() for found in near} if left_out else set()
        for split in splits[1:]:
            evaluations[split] = str(root / "evaluation" / split)
            write_evaluation(
                root / "evaluation" / split,
                [image for image in images if image.identity not in away],
                split,
                gallery_splits or (split,),
                with_baseline=split == "validation",
            )
    sources = Sources(
        embeddings=str(folder["embeddings"]),
        embedded_splits=splits,
        examples=str(folder["examples"]),
        near_duplicates=str(folder["near_duplicates"]),
        model_run=str(folder["model_run"]),
        evaluations=evaluations,
        blessed=True,
        serving_check=str(folder["serving_check"]),
        match_threshold=THRESHOLD,
        gallery_size=sum(image.split != b"test" for image in images),
    )
    config = ReportConfig(
        gallery_splits=gallery_splits, served_splits=splits[:2], left_out=left_out, seed=seed
    )
    return SmallRun(sources, config, images)


def draw_images(
    class_names: Sequence[str],
    per_class: Mapping[str, int],
    *,
    dim: int = 8,
    noise: float = 0.35,
    size: int = 24,
    seed: int = 0,
) -> list[EmbeddedImage]:
    """Images of each class around a center of its own; ids do not tell the order."""
    from components.image_embedder.records import EmbeddedImage

    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(len(class_names), dim))
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    total = len(class_names) * sum(per_class.values())
    numbers = iter(rng.permutation(total))
    images = []
    for split, count in per_class.items():
        for label, name in enumerate(class_names):
            for _ in range(count):
                vector = centers[label] + rng.normal(size=dim) * noise
                images.append(
                    EmbeddedImage(
                        identity=f"{split}/photo {next(numbers):04d}.jpg".encode(),
                        label=label,
                        class_name=name.encode(),
                        split=split.encode(),
                        embedding=(vector / np.linalg.norm(vector)).astype(np.float32),
                        thumbnail=_picture(rng, label / len(class_names), size),
                    )
                )
    return images


def _picture(rng: np.random.Generator, hue: float, size: int) -> bytes:
    """A disc of the class's hue on a lawn, wider than high, as JPEG."""
    width = size * 4 // 3
    picture = Image.new("RGB", (width, size), (60, int(rng.integers(110, 150)), 60))
    radius = size * rng.uniform(0.2, 0.45)
    x, y = rng.uniform(0.4, 0.6, 2) * (width, size)
    colour = f"hsl({round(360 * hue)}, 80%, {rng.integers(45, 65)}%)"
    ImageDraw.Draw(picture).ellipse((x - radius, y - radius, x + radius, y + radius), colour)
    buffer = io.BytesIO()
    picture.save(buffer, "jpeg", quality=85)
    return buffer.getvalue()


def write_images(folder: pathlib.Path, images: Sequence[EmbeddedImage]) -> None:
    """Writes ImageEmbedder's artifact."""
    import tensorflow as tf

    from components.image_embedder import records

    for split in dict.fromkeys(image.split.decode() for image in images):
        path = pathlib.Path(records.split_folder(str(folder), split))
        path.mkdir(parents=True)
        name = f"{records.FILE_PREFIX}-00000-of-00001{records.FILE_SUFFIX}"
        with tf.io.TFRecordWriter(str(path / name), "GZIP") as writer:
            for image in images:
                if image.split == split.encode():
                    writer.write(records.encode(image))


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes a JSON file."""
    path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")


def named(image: EmbeddedImage) -> dict[str, str]:
    """How ingestion names an image."""
    return {
        "id": image.identity.decode(),
        "split": image.split.decode(),
        "class_name": image.class_name.decode(),
    }


def _ingestion(images: Sequence[EmbeddedImage], splits: Sequence[str]) -> dict[str, Any]:
    """One bad image, copies within a split, and a copy in another split that was dropped."""
    counts = {split: sum(i.split == split.encode() for i in images) for split in splits}
    first, last = named(images[0]), named(images[-1])
    copies = [named(image) for image in images[:2]]
    return {
        "images": dict(sorted(counts.items())),
        "bad_images": [
            {
                "id": "train/torn.jpg",
                "split": "train",
                "class_name": first["class_name"],
                "reason": "not an image of a known format",
            }
        ],
        "duplicates": [
            {"images": copies, "dropped": []},
            {"images": [last, {**last, "id": "test/copy.jpg"}], "dropped": ["test/copy.jpg"]},
        ],
    }


def _near_duplicate(images: Sequence[EmbeddedImage]) -> list[dict[str, Any]]:
    """The last image is said to look like the first."""
    image, original = named(images[-1]), named(images[0])
    if image["split"] == original["split"]:
        return []
    return [
        {
            **image,
            "original_id": original["id"],
            "original_split": original["split"],
            "original_class_name": original["class_name"],
            "likeness": 0.9312,
            "cosine": round(float(images[-1].embedding @ images[0].embedding), 4),
        }
    ]


HISTORY = {
    "frozen": {"recall_at_1": 0.55, "map_at_r": 0.25, "intra_inter": 1.04, "between_classes": 0.37},
    "best_epoch": 3,
    "epochs": [
        {
            "loss": loss,
            "classification_loss": loss - 0.4,
            "center_loss": 0.4 / (epoch + 1),
            "accuracy": 0.2 + 0.2 * epoch,
            "val_recall_at_1": 0.6 + 0.05 * epoch,
            "val_map_at_r": 0.3 + 0.04 * epoch,
            "val_intra_inter": 0.8 - 0.1 * epoch,
            "val_between_classes": 0.4 - 0.05 * epoch,
            "center_norm": 0.6 + 0.1 * epoch,
            "center_distance_min": 0.5 - 0.05 * epoch,
        }
        for epoch, loss in enumerate([3.2, 2.1, 1.6])
    ],
}

SERVING_CHECK = {
    "ok": True,
    "reason": "",
    "photos": 8,
    "gallery_photos": 4,
    "load_seconds": 27.389,
    "latency": {"median_ms": 24.862, "p95_ms": 32.404, "requests": 40},
    "peak_memory_mb": 982.970368,
}


def write_evaluation(
    folder: pathlib.Path,
    images: Sequence[EmbeddedImage],
    split: str,
    gallery_splits: Sequence[str],
    *,
    with_baseline: bool,
) -> None:
    """Writes TFMA's evaluation: the metrics of these images, and those of a noisier baseline.

    Args:
        folder: Of the artifact.
        images: All that take part.
        split: Whose images are queries.
        gallery_splits: What is searched.
        with_baseline: Whether there is one.
    """
    from retrieval.confidence import bootstrap_mean, paired_bootstrap

    values = {"candidate": _values(images, split, gallery_splits)}
    if with_baseline:
        rng = np.random.default_rng(1)
        worse = [
            image._replace(embedding=image.embedding + rng.normal(size=len(image.embedding)) * 0.3)
            for image in images
        ]
        values["baseline"] = _values(worse, split, gallery_splits)
    measured: list[tuple[str, str, bool, tuple[float, float, float]]] = []
    for model, by_name in values.items():
        for name, value in by_name.items():
            measured.append((name, model, False, bootstrap_mean(value)))
            if with_baseline and model == "candidate":
                difference = paired_bootstrap(value, values["baseline"][name])
                measured.append((name, model, True, difference))
    count = float(len(next(iter(values["candidate"].values()))))
    measured += [("example_count", model, False, (count, count, count)) for model in values]
    _write_tfma(folder, measured, list(values) if with_baseline else [""])


def _values(
    images: Sequence[EmbeddedImage], split: str, gallery_splits: Sequence[str]
) -> dict[str, np.ndarray]:
    """Per-query metrics; rows by key, since that is how the evaluation breaks ties."""
    from retrieval.metrics import per_query_metrics
    from retrieval.shards import identity_keys

    keys = identity_keys([image.identity for image in images])
    ordered = [images[row] for row in np.argsort(keys)]

    def side(splits: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        chosen = [image for image in ordered if image.split.decode() in splits]
        return (
            np.stack([image.embedding for image in chosen]),
            np.array([image.label for image in chosen]),
            np.array([image.identity for image in chosen], object),
        )

    return per_query_metrics(*side([split]), *side(gallery_splits), KS)


def _write_tfma(
    folder: pathlib.Path, measured: Sequence[tuple[str, str, bool, Any]], models: Sequence[str]
) -> None:
    import tensorflow as tf
    import tensorflow_model_analysis as tfma
    from tensorflow_model_analysis.proto import metrics_for_slice_pb2

    overall = metrics_for_slice_pb2.MetricsForSlice()
    for name, model, is_difference, (value, low, high) in measured:
        entry = overall.metric_keys_and_values.add()
        entry.key.name, entry.key.is_diff = name, is_difference
        entry.key.model_name = model if len(models) > 1 else ""
        entry.key.example_weighted.SetInParent()
        entry.value.double_value.value = value
        if name != "example_count":
            entry.confidence_interval.lower_bound.double_value.value = low
            entry.confidence_interval.upper_bound.double_value.value = high
    overall.slice_key.SetInParent()
    config = {
        "modelSpecs": [
            {"name": name, "isBaseline": name == "baseline", "predictionKey": "embedding"}
            for name in models
        ],
        "slicingSpecs": [{}],
        "metricsSpecs": [{"metrics": [{"className": "ExampleCount"}]}],
    }
    folder.mkdir(parents=True)
    write_json(
        folder / "eval_config.json",
        {
            "evalConfig": config,
            "version": tfma.version.VERSION,
            "dataLocation": "",
            "fileFormat": "",
            "modelLocations": dict.fromkeys(models, ""),
        },
    )
    with tf.io.TFRecordWriter(str(folder / "metrics-00000-of-00001.tfrecord")) as writer:
        writer.write(overall.SerializeToString())
    validation = _validation()
    with tf.io.TFRecordWriter(str(folder / "validations.tfrecord")) as writer:
        writer.write(validation.SerializeToString())


def _validation() -> Any:
    from tensorflow_model_analysis.proto import validation_result_pb2

    return validation_result_pb2.ValidationResult(validation_ok=True)
