"""Runs TFX's Evaluator on tiny models whose embedding is written in the image feature."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils

from components.leak_check import report
from components.leak_check.artifact import NearDuplicates
from components.leak_check.report import NearDuplicate
from components.retrieval_evaluator.component import LEFT_OUT_KEY, Executor
from components.retrieval_evaluator.config import (
    EXTRACTOR_MODULE,
    LEAVE_ONE_OUT,
    Protocol,
    Thresholds,
    eval_config,
)

DIM = 6
IDENTITY = np.eye(DIM)
KS = (1, 3)


@dataclasses.dataclass(frozen=True)
class Data:
    """What is evaluated: embeddings [N, D] as stored, and labels, ids, names of each row."""

    embeddings: np.ndarray
    labels: list[int]
    ids: list[str]
    class_names: list[str]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What the Evaluator wrote."""

    uri: str
    blessed: bool
    blessing_files: list[str]


@pytest.fixture(scope="session")
def data() -> Data:
    """Imbalanced classes with duplicates, whose order by id is not that by row."""
    rng = np.random.default_rng(0)
    labels = [0] * 14 + [1] * 9 + [2] * 6 + [3] * 2 + [4]
    centres = rng.normal(size=(5, DIM))
    embeddings = centres[labels] + rng.normal(size=(len(labels), DIM)) * 1.1
    embeddings[[3, 15, 20]] = embeddings[2]  # equal rows of two classes: ids decide
    embeddings = embeddings.astype(np.float32)
    ids = [f"{name}.jpg" for name in rng.permutation(len(labels))]
    names = ["rose", "Ёлка", "blue bell", "tulip", "lonely"]
    return Data(embeddings, labels, ids, [names[label] for label in labels])


class _Model(tf.Module):
    """Serialized examples → the embedding in their image feature, times a matrix."""

    def __init__(self, matrix: np.ndarray) -> None:
        super().__init__()
        self.matrix = tf.constant(matrix, tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {"image": tf.io.FixedLenFeature([], tf.string)}
        image = tf.io.parse_example(examples, spec)["image"]
        stored = tf.reshape(tf.io.decode_raw(image, tf.float32), [-1, DIM])
        return {"embedding": tf.linalg.matmul(stored, self.matrix)}


def _artifact(kind: type, uri: pathlib.Path) -> Any:
    artifact = kind()
    artifact.uri = str(uri)
    return artifact


def _model(root: pathlib.Path, matrix: np.ndarray) -> Any:
    model = _Model(matrix)
    path = root / "Format-Serving"
    tf.saved_model.save(model, str(path), signatures={"serving_default": model.serve})
    return _artifact(standard_artifacts.Model, root)


def _near_duplicates(root: pathlib.Path, ids: Sequence[str]) -> Any:
    root.mkdir()
    found = [NearDuplicate(name, "test", "a", "", "train", "a", 1.0, 1.0) for name in ids]
    (root / report.FILE).write_text(report.dumps(found), "utf-8")
    return _artifact(NearDuplicates, root)


def _examples(
    root: pathlib.Path, data: Data, order: np.ndarray, shards: int, splits: Sequence[str]
) -> Any:
    folder = root / "Split-validation"
    folder.mkdir(parents=True)
    for shard, rows in enumerate(np.array_split(order, shards)):
        with tf.io.TFRecordWriter(str(folder / f"data-{shard}.gz"), "GZIP") as writer:
            for row in rows:
                texts = {
                    "image": data.embeddings[row].tobytes(),
                    "class_name": data.class_names[row].encode(),
                    "id": data.ids[row].encode(),
                    "split": splits[row].encode(),
                }
                feature = {
                    name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))
                    for name, text in texts.items()
                }
                label = tf.train.Int64List(value=[data.labels[row]])
                feature["label"] = tf.train.Feature(int64_list=label)
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())
    artifact = _artifact(standard_artifacts.Examples, root)
    artifact.split_names = artifact_utils.encode_split_names(["validation"])
    artifact.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    return artifact


@pytest.fixture(scope="session")
def evaluate(tmp_path_factory, data: Data) -> Callable[..., Evaluation]:
    """Gives `evaluate(thresholds, candidate=…, baseline=…, order=…, shards=…,
    splits=…, protocol=…, left_out=…)`.

    Models are given as the matrix that makes embeddings of the stored ones.
    """

    def run(
        thresholds: Thresholds | None,
        *,
        candidate: np.ndarray = IDENTITY,
        baseline: np.ndarray | None = None,
        order: np.ndarray | None = None,
        shards: int = 1,
        splits: Sequence[str] | None = None,
        protocol: Protocol = LEAVE_ONE_OUT,
        left_out: Sequence[str] | None = None,
    ) -> Evaluation:
        root = tmp_path_factory.mktemp("evaluator")
        rows = np.arange(len(data.labels)) if order is None else order
        named = splits or ["validation"] * len(data.labels)
        inputs = {
            "examples": [_examples(root / "examples", data, rows, shards, named)],
            "model": [_model(root / "candidate", candidate)],
        }
        if baseline is not None:
            inputs["baseline_model"] = [_model(root / "baseline", baseline)]
        if left_out is not None:
            inputs[LEFT_OUT_KEY] = [_near_duplicates(root / "left_out", left_out)]
        outputs = {
            "evaluation": [_artifact(standard_artifacts.ModelEvaluation, root / "evaluation")],
            "blessing": [_artifact(standard_artifacts.ModelBlessing, root / "blessing")],
        }
        config = eval_config(
            KS, thresholds=thresholds, slice_by_class=True, code_hash="0", protocol=protocol
        )
        context = BaseBeamExecutor.Context(
            beam_pipeline_args=["--runner=FnApiRunner"], tmp_dir=str(root / "tmp")
        )
        Executor(context).Do(
            inputs,
            outputs,
            {
                "eval_config": proto_utils.proto_to_json(config),
                "example_splits": json.dumps(["validation"]),
                "module_path": EXTRACTOR_MODULE,
            },
        )
        blessing = outputs["blessing"][0]
        return Evaluation(
            outputs["evaluation"][0].uri,
            bool(blessing.get_int_custom_property("blessed")),
            sorted(path.name for path in (root / "blessing").glob("*")),
        )

    return run
