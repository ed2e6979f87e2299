"""Runs as they are on disk, small: run folders, an ML Metadata store, and ImageEmbedder's images.

The store is written as TFX lays runs out; `tests/pipeline/test_run_lineage.py` reads one that TFX
itself has written.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import ml_metadata as mlmd
import numpy as np
from ml_metadata.proto import metadata_store_pb2 as pb

from components.image_embedder.records import EmbeddedImage
from pipeline.metadata_store import connection_config
from pipeline.settings_help import preset_yaml
from pipeline.settings_loader import load_settings
from tests.components.report.small_run import draw_images, write_images, write_json

CLASS_NAMES = ("rose <b>&amp;", "Ёлка", "blue bell", "tulip")
PER_CLASS = {"train": 3, "validation": 6, "test": 7}


def images(noise: float = 0.35, *, seed: int = 0, **options: Any) -> list[EmbeddedImage]:
    """Images whose ids, classes and pictures do not depend on the noise of their embeddings."""
    return draw_images(CLASS_NAMES, PER_CLASS, noise=noise, seed=seed, **options)


def shaken(given: Sequence[EmbeddedImage], *, seed: int = 1) -> list[EmbeddedImage]:
    """The same images as another model might embed them."""
    rng = np.random.default_rng(seed)
    return [
        image._replace(
            embedding=(image.embedding + rng.normal(size=len(image.embedding)) * 0.2).astype("f4")
        )
        for image in given
    ]


def write_run(
    workdir: pathlib.Path,
    embedded: Sequence[EmbeddedImage],
    *,
    name: str = "20260102-030405",
    overrides: Sequence[str] = (),
    code: str = "0123456789abcdef",
    near_duplicates: Sequence[str] = (),
    summary: Mapping[str, Any] | None = None,
) -> pathlib.Path:
    """Writes a run.

    Args:
        workdir: May have runs already.
        embedded: Its images.
        name: Of its folder.
        overrides: Of the preset demo.
        code: Digest of the Trainer's code.
        near_duplicates: Ids that LeakCheck found.
        summary: What differs from a plain summary.

    Returns:
        Its folder.
    """
    folder = workdir / "runs" / name
    folder.mkdir(parents=True)
    settings = load_settings("demo", overrides)
    (folder / "settings.yaml").write_text(preset_yaml(settings), "utf-8")
    artifacts = workdir / "artifacts" / name
    (artifacts / "embeddings").mkdir(parents=True)
    write_images(artifacts / "embeddings", embedded)
    (artifacts / "near_duplicates").mkdir()
    write_json(artifacts / "near_duplicates" / "near_duplicates.json", _found(near_duplicates))
    content = {
        "status": "succeeded",
        "name": name,
        "run_id": f"tfx-{name}",
        "preset": "demo",
        "components": [
            {"id": "Trainer", "seconds": 12.5, "cached": False},
            {"id": "ImageEmbedder", "seconds": 0.1, "cached": True},
        ],
        "images": {split: count * len(CLASS_NAMES) for split, count in PER_CLASS.items()},
        "bad_images": [],
        "near_duplicates": [],
        "blessed": True,
        "not_blessed_because": [],
        "pushed_model": "/models/flowers/7",
        "duration_seconds": 75.0,
        **(summary or {}),
    }
    for place in (folder, workdir):
        (place / "summary.json").write_text(json.dumps(content), "utf-8")
    _record(workdir, content["run_id"], artifacts, code)
    return folder


def _found(ids: Sequence[str]) -> dict[str, Any]:
    fields = {
        "split": "test",
        "class_name": "x",
        "original_id": "y",
        "original_split": "train",
        "original_class_name": "x",
        "likeness": 0.9,
        "cosine": 0.9,
    }
    return {"images": [{"id": identity, **fields} for identity in ids]}


def _record(workdir: pathlib.Path, run_id: str, artifacts: pathlib.Path, code: str) -> None:
    """Tells ML Metadata of a run of three components."""
    store = mlmd.MetadataStore(connection_config(workdir, None))

    def context(kind: str, name: str) -> int:
        found = store.get_context_by_type_and_name(kind, name)
        if found is not None:
            return found.id
        type_id = store.put_context_type(pb.ContextType(name=kind))
        return store.put_contexts([pb.Context(type_id=type_id, name=name)])[0]

    pipeline, run = context("pipeline", "flowersim"), context("pipeline_run", run_id)
    store.put_parent_contexts([pb.ParentContext(child_id=run, parent_id=pipeline)])
    custom_config = json.dumps({"config": {"epochs": 3}, "code": code})
    for component, key, properties in (
        ("Trainer", "model", {"custom_config": custom_config}),
        ("ImageEmbedder", "embeddings", {"code_hash": "fedcba9876543210"}),
        ("LeakCheck", "near_duplicates", {"code_hash": "fedcba9876543210"}),
    ):
        execution = pb.Execution(
            type_id=store.put_execution_type(pb.ExecutionType(name=component)),
            last_known_state=pb.Execution.COMPLETE,
        )
        for name, value in properties.items():
            execution.custom_properties[name].string_value = value
        artifact = pb.Artifact(
            type_id=store.put_artifact_type(pb.ArtifactType(name=key)), uri=str(artifacts / key)
        )
        event = pb.Event(type=pb.Event.OUTPUT)
        event.path.steps.add().key = key
        event.path.steps.add().index = 0
        execution_id, _, _ = store.put_execution(execution, [(artifact, event)], [])
        node = context("node", f"flowersim.{component}")
        store.put_attributions_and_associations(
            [],
            [pb.Association(execution_id=execution_id, context_id=place) for place in (run, node)],
        )
