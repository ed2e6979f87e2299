"""Gives TFMA each query's retrieval results: the Evaluator's `module_path`.

TFMA predicts embeddings; the extractor here, put in right behind, has each query's relevant images
ranked among the gallery (`sharded.py`) and writes per-query results and nearest neighbours beside
the features. From there on TFMA's own machinery works: means (`metric.py`), slices, thresholds, and
the comparison with the baseline, which is searched among its own embeddings of the same images.

Encoded images are dropped from what goes on: nothing behind needs them, and they would have to
travel with the results.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma

from components.retrieval_evaluator.config import Protocol
from components.retrieval_evaluator.metric import result_key
from components.retrieval_evaluator.sharded import SHARD_ROWS, Batch, Key, Ranked, RankRelevant
from retrieval.metrics import metric_names, metrics_of_ranks
from retrieval.rows import unit_rows
from retrieval.shards import Rows, identity_keys
from trainer_module import features
from trainer_module.progress_log import ImageCounter

# Features that are added besides `result_key`: keys (`retrieval.shards.identity_keys`) and cosines
# of the nearest neighbours, int64 and float32 [B, k], by model.
NEIGHBOURS, NEIGHBOUR_SCORES = "neighbours", "neighbour_scores"


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
        stage_name="ExtractNeighbours", ptransform=SearchNeighbours(*_options(eval_config))
    )
    return [*extractors[:place], search, *extractors[place:]]


def _options(eval_config: tfma.EvalConfig) -> tuple[tuple[int, ...], Protocol]:
    for spec in eval_config.metrics_specs:
        for metric in spec.metrics:
            options = json.loads(metric.config or "{}")
            if "ks" in options:
                return tuple(options["ks"]), Protocol(*map(tuple, options["protocol"]))
    raise ValueError("the eval config has no retrieval metric; build it with eval_config()")


class SearchNeighbours(beam.PTransform):
    """Extracts with predictions in, the same extracts with per-query retrieval results out."""

    def __init__(
        self, ks: tuple[int, ...], protocol: Protocol, shard_rows: int = SHARD_ROWS
    ) -> None:
        """Keeps what is to be found.

        Args:
            ks: Cut-offs of the metrics; the largest is the number of neighbours that are kept.
            protocol: What is searched for what.
            shard_rows: See `sharded.RankRelevant`.
        """
        super().__init__()
        self._ks, self._protocol, self._shard_rows = ks, protocol, shard_rows

    def expand(self, extracts: beam.PCollection) -> beam.PCollection:
        """Takes embeddings out of the batches, ranks them, and joins the results to the batches."""
        numbered = extracts | "Number" >> beam.ParDo(_Number())
        ranked = (
            numbered
            | "Rows" >> beam.FlatMap(_batches, self._protocol)
            | "Rank" >> RankRelevant(max(self._ks), self._shard_rows)
            | "By batch" >> beam.Map(lambda item: (item[0][1], (item[0][0], item[1])))
        )
        return (
            {"extracts": numbered, "ranked": ranked}
            | "Join" >> beam.CoGroupByKey()
            | "Attach" >> beam.FlatMap(_attach, self._ks, self._protocol)
        )


class _Number(beam.DoFn):
    """Gives each batch the key of its first image, by which results find back to it.

    The embedding of a split is what takes long, so it is reported here.
    """

    def setup(self) -> None:
        self._counter = ImageCounter()

    def process(self, extracts: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        kept = dict(extracts[tfma.FEATURES_KEY])
        kept.pop(features.IMAGE, None)
        ids = _column(kept, features.ID)
        self._counter.add(len(ids))
        yield int(identity_keys(ids[:1])[0]), {**extracts, tfma.FEATURES_KEY: kept}

    def finish_bundle(self) -> None:
        self._counter.flush()


def _column(inputs: dict[str, Any], name: str) -> np.ndarray:
    return np.asarray(inputs[name]).reshape(-1)


def _batches(item: tuple[int, dict[str, Any]], protocol: Protocol) -> Iterator[tuple[Key, Batch]]:
    """One batch of embeddings for each model."""
    number, extracts = item
    inputs, predictions = extracts[tfma.FEATURES_KEY], extracts[tfma.PREDICTIONS_KEY]
    if not isinstance(predictions, dict):
        predictions = {"": predictions}
    ids = _column(inputs, features.ID)
    labels = _column(inputs, features.LABEL).astype(np.int64)
    splits = _column(inputs, features.SPLIT)
    for model, embeddings in predictions.items():
        vectors = unit_rows(np.asarray(embeddings, np.float32), f"embeddings of {ids[0]!r} …")
        yield (
            (model, number),
            Batch(
                Rows(identity_keys(ids), labels, vectors),
                is_query=protocol.is_query(splits),
                is_gallery=protocol.is_gallery(splits),
            ),
        )


def _attach(
    item: tuple[int, dict[str, Any]], ks: tuple[int, ...], protocol: Protocol
) -> Iterator[dict[str, Any]]:
    """Adds results to the features of a batch; NaN for images that are no queries.

    `result_key(model, metric)` is float32 `[B, 1]`; for the neighbours see `NEIGHBOURS`.
    """
    _, joined = item
    ranked: dict[str, Ranked] = dict(joined["ranked"])
    names = metric_names(ks)
    for extracts in joined["extracts"]:
        predictions = extracts[tfma.PREDICTIONS_KEY]
        kept = dict(extracts[tfma.FEATURES_KEY])
        is_query = protocol.is_query(_column(kept, features.SPLIT))
        for model in predictions if isinstance(predictions, dict) else [""]:
            columns = {metric: np.full((len(is_query), 1), np.nan, np.float32) for metric in names}
            columns[NEIGHBOURS] = np.full((len(is_query), max(ks)), -1)
            columns[NEIGHBOUR_SCORES] = np.full((len(is_query), max(ks)), -np.inf, np.float32)
            if model in ranked:
                found = ranked[model]
                columns[NEIGHBOURS][is_query] = found.neighbours
                columns[NEIGHBOUR_SCORES][is_query] = found.scores
                for metric, values in metrics_of_ranks(found.ranks, ks, names).items():
                    columns[metric][is_query, 0] = values
            kept |= {result_key(model, name): column for name, column in columns.items()}
        yield {**extracts, tfma.FEATURES_KEY: kept}
