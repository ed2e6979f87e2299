"""Gives TFMA each query's retrieval results: the Evaluator's `module_path`.

TFMA predicts embeddings; the extractor here, put in right behind, has each query's relevant images
ranked among the gallery (`sharded_search/ranking.py`) and writes per-query results and nearest
neighbours beside the features. From there on TFMA's own machinery works: means (`metric.py`),
slices, thresholds, and the comparison with the baseline, which is searched among its own embeddings
of the same images.

Encoded images are dropped from what goes on: nothing behind needs them, and they would have to
travel with the results.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.utils import util
from tfx.dsl.io import fileio

from components.leak_check import report
from components.retrieval_evaluator.config import LEAVE_ONE_OUT, Protocol
from components.retrieval_evaluator.metric import result_key
from components.sharded_search.ranking import Ranked, RankRelevant
from components.sharded_search.visits import SHARD_ROWS, Batch, Key
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


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which of the images that are read take part, and as what.

    Attributes:
        protocol: By their splits.
        left_out: Keys of images that take no part.
    """

    protocol: Protocol = LEAVE_ONE_OUT
    left_out: frozenset[int] = frozenset()

    def queries(self, inputs: dict[str, Any]) -> np.ndarray:
        """Which images of a batch of features are queries, bool [B]."""
        return self.protocol.is_query(_column(inputs, features.SPLIT)) & self._takes_part(inputs)

    def gallery(self, inputs: dict[str, Any]) -> np.ndarray:
        """Which images of a batch of features are searched, bool [B]."""
        return self.protocol.is_gallery(_column(inputs, features.SPLIT)) & self._takes_part(inputs)

    def _takes_part(self, inputs: dict[str, Any]) -> np.ndarray:
        keys = identity_keys(_column(inputs, features.ID))
        return np.array([int(key) not in self.left_out for key in keys], bool)


def _options(eval_config: tfma.EvalConfig) -> tuple[tuple[int, ...], Selection]:
    for spec in eval_config.metrics_specs:
        for metric in spec.metrics:
            options = json.loads(metric.config or "{}")
            if "ks" in options:
                return tuple(options["ks"]), Selection(
                    Protocol(*map(tuple, options["protocol"])),
                    _listed(options.get("left_out", "")),
                )
    raise ValueError("the eval config has no retrieval metric; build it with eval_config()")


def _listed(path: str) -> frozenset[int]:
    """Keys of the images in a list of near-duplicates; of no list none."""
    if not path:
        return frozenset()
    with fileio.open(path, "r") as file:
        found = report.loads(file.read())
    return frozenset(identity_keys([image.id for image in found]).tolist())


class SearchNeighbours(beam.PTransform):
    """Extracts with predictions in, the same extracts with per-query retrieval results out."""

    def __init__(
        self, ks: tuple[int, ...], selection: Selection, shard_rows: int = SHARD_ROWS
    ) -> None:
        """Keeps what is to be found.

        Args:
            ks: Cut-offs of the metrics; the largest is the number of neighbours that are kept.
            selection: What is searched for what.
            shard_rows: See `sharded_search.ranking.RankRelevant`.
        """
        super().__init__()
        self._ks, self._selection, self._shard_rows = ks, selection, shard_rows

    def expand(self, extracts: beam.PCollection) -> beam.PCollection:
        """Takes embeddings out of the batches, ranks them, and joins the results to the batches."""
        numbered = extracts | "Number" >> beam.ParDo(_Number())
        ranked = (
            numbered
            | "Rows" >> beam.FlatMap(_batches, self._selection)
            | "Rank" >> RankRelevant(max(self._ks), self._shard_rows)
            | "By batch" >> beam.Map(lambda item: (item[0][1], (item[0][0], item[1])))
        )
        return (
            {"extracts": numbered, "ranked": ranked}
            | "Join" >> beam.CoGroupByKey()
            | "Attach" >> beam.FlatMap(_attach, self._ks, self._selection)
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


def _batches(item: tuple[int, dict[str, Any]], selection: Selection) -> Iterator[tuple[Key, Batch]]:
    """One batch of embeddings for each model."""
    number, extracts = item
    inputs, predictions = extracts[tfma.FEATURES_KEY], extracts[tfma.PREDICTIONS_KEY]
    if not isinstance(predictions, dict):
        predictions = {"": predictions}
    ids = _column(inputs, features.ID)
    labels = _column(inputs, features.LABEL).astype(np.int64)
    for model, embeddings in predictions.items():
        vectors = unit_rows(np.asarray(embeddings, np.float32), f"embeddings of {ids[0]!r} …")
        yield (
            (model, number),
            Batch(
                Rows(identity_keys(ids), labels, vectors),
                is_query=selection.queries(inputs),
                is_gallery=selection.gallery(inputs),
            ),
        )


def _attach(
    item: tuple[int, dict[str, Any]], ks: tuple[int, ...], selection: Selection
) -> Iterator[dict[str, Any]]:
    """Adds results to the features of a batch's queries, and drops what is no query.

    `result_key(model, metric)` is float32 `[B, 1]`; for the neighbours see `NEIGHBOURS`.
    """
    _, joined = item
    ranked: dict[str, Ranked] = dict(joined["ranked"])
    names = metric_names(ks)
    for whole in joined["extracts"]:
        is_query = selection.queries(whole[tfma.FEATURES_KEY])
        if not is_query.any():
            continue
        extracts = whole if is_query.all() else _some(whole, is_query)
        kept = dict(extracts[tfma.FEATURES_KEY])
        for model, found in ranked.items():
            for metric, values in metrics_of_ranks(found.ranks, ks, names).items():
                kept[result_key(model, metric)] = values[:, np.newaxis].astype(np.float32)
            kept[result_key(model, NEIGHBOURS)] = found.neighbours
            kept[result_key(model, NEIGHBOUR_SCORES)] = found.scores
        yield {**extracts, tfma.FEATURES_KEY: kept}


def _some(extracts: dict[str, Any], which: np.ndarray) -> dict[str, Any]:
    """The chosen examples of a batch."""
    single = util.split_extracts(extracts)
    return util.merge_extracts([single[row] for row in np.flatnonzero(which)])
