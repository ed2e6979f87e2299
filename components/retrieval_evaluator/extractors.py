"""Gives TFMA each query's retrieval results: the Evaluator's `module_path`.

TFMA predicts embeddings; the extractor here, put in right behind, searches each embedding's
neighbours among all the others of the evaluated split (leave-one-out, the query itself excluded by
id) and writes per-query results beside the features. From there on TFMA's own machinery works:
means (`metric.py`), slices, thresholds, and the comparison with the baseline, which is searched
among its own embeddings of the same images.

The gallery is a side input: each worker holds it once, N × D float32 for a split of N images.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma

from components.retrieval_evaluator.metric import result_key
from retrieval.metrics import per_query_metrics
from trainer_module import features
from trainer_module.progress_log import ImageCounter

Rows = tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]


def custom_extractors(
    eval_shared_model: Any, eval_config: tfma.EvalConfig, tensor_adapter_config: Any
) -> list[tfma.extractors.Extractor]:
    """Returns TFMA's default extractors with the neighbour search after the prediction.

    Args:
        eval_shared_model: One model, or candidate and baseline.
        eval_config: Holds the k of recall@k in each metric's configuration.
        tensor_adapter_config: How features become tensors.
    """
    extractors = tfma.default_extractors(
        eval_shared_model=eval_shared_model,
        eval_config=eval_config,
        tensor_adapter_config=tensor_adapter_config,
    )
    names = [extractor.stage_name for extractor in extractors]
    place = names.index("ExtractPredictions") + 1
    search = tfma.extractors.Extractor(
        stage_name="ExtractNeighbours", ptransform=SearchNeighbours(_ks(eval_config))
    )
    return [*extractors[:place], search, *extractors[place:]]


def _ks(eval_config: tfma.EvalConfig) -> tuple[int, ...]:
    for spec in eval_config.metrics_specs:
        for metric in spec.metrics:
            if metric.config and "ks" in json.loads(metric.config):
                return tuple(json.loads(metric.config)["ks"])
    raise ValueError("the eval config has no retrieval metric; build it with eval_config()")


def _rows(extracts: dict[str, Any]) -> Rows:
    """Takes ids `[B]`, labels `[B]` and, by model name, embeddings `[B, D]` out of a batch."""
    inputs = extracts[tfma.FEATURES_KEY]
    predictions = extracts[tfma.PREDICTIONS_KEY]
    if not isinstance(predictions, dict):
        predictions = {"": predictions}
    embeddings = {name: np.asarray(value, np.float32) for name, value in predictions.items()}
    ids = np.asarray(inputs[features.ID]).reshape(-1)
    return ids, np.asarray(inputs[features.LABEL]).reshape(-1), embeddings


class _TakeRows(beam.DoFn):
    """`_rows` of each batch; the embedding of a split is what takes long, so it is reported."""

    def setup(self) -> None:
        self._counter = ImageCounter()

    def process(self, extracts: dict[str, Any]) -> Iterator[Rows]:
        rows = _rows(extracts)
        self._counter.add(len(rows[0]))
        yield rows

    def finish_bundle(self) -> None:
        self._counter.flush()


class _Concatenate(beam.CombineFn):
    """Joins batches of rows into one; order does not matter, since ties are broken by id."""

    def create_accumulator(self) -> list[Rows]:
        return []

    def add_input(self, accumulator: list[Rows], element: Rows) -> list[Rows]:
        accumulator.append(element)
        return accumulator

    def merge_accumulators(self, accumulators: Any) -> list[Rows]:
        return [rows for accumulator in accumulators for rows in accumulator]

    def extract_output(self, accumulator: list[Rows]) -> Rows:
        ids = np.concatenate([rows[0] for rows in accumulator])
        # The search breaks ties by position; sorted by id, position does not depend on Beam.
        order = np.argsort(ids)
        labels = np.concatenate([rows[1] for rows in accumulator])
        embeddings = {
            name: np.concatenate([rows[2][name] for rows in accumulator])[order]
            for name in accumulator[0][2]
        }
        return ids[order], labels[order], embeddings


def _attach(extracts: dict[str, Any], gallery: Rows, ks: tuple[int, ...]) -> dict[str, Any]:
    """Adds `result_key(model, metric)` → `[B, 1]` float32 to the features of a batch."""
    ids, labels, embeddings = _rows(extracts)
    gallery_ids, gallery_labels, gallery_embeddings = gallery
    with_results = dict(extracts[tfma.FEATURES_KEY])
    for model_name, queries in embeddings.items():
        results = per_query_metrics(
            queries, labels, ids, gallery_embeddings[model_name], gallery_labels, gallery_ids, ks
        )
        for metric, values in results.items():
            with_results[result_key(model_name, metric)] = values[:, np.newaxis].astype(np.float32)
    return {**extracts, tfma.FEATURES_KEY: with_results}


class SearchNeighbours(beam.PTransform):
    """Extracts with predictions in, the same extracts with per-query retrieval results out."""

    def __init__(self, ks: tuple[int, ...]) -> None:
        """Keeps the cut-offs of the metrics."""
        super().__init__()
        self._ks = ks

    def expand(self, extracts: beam.PCollection) -> beam.PCollection:
        """Builds the gallery from all batches, then scores each batch against it."""
        gallery = (
            extracts | "Rows" >> beam.ParDo(_TakeRows()) | beam.CombineGlobally(_Concatenate())
        )
        return extracts | "Score" >> beam.Map(
            _attach, gallery=beam.pvalue.AsSingleton(gallery), ks=self._ks
        )
