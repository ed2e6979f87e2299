"""The work of SimilarityIndexer: calibrate the match threshold, compose the model, save it."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
from absl import logging
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.image_embedder import records
from components.similarity_indexer.servable import SimilarityModel, save
from retrieval.calibration import precision_threshold
from retrieval.search import top_k


@dataclasses.dataclass(frozen=True)
class IndexerConfig:
    """What to index; see the `gallery` section of the settings.

    Attributes:
        splits: Splits whose images can be found.
        neighbours: K, the neighbours in each answer.
        calibration_split: Split whose queries set the match threshold.
        match_precision: Precision that matches among the calibration pairs must have.
    """

    splits: tuple[str, ...]
    neighbours: int
    calibration_split: str
    match_precision: float


def match_threshold(
    queries: records.EmbeddedImages, gallery: records.EmbeddedImages, *, k: int, precision: float
) -> float:
    """The lowest cosine from which on neighbours are of the query's class precisely enough.

    Looks at the pairs of each query with its k nearest gallery images, itself excluded by id: the
    pairs that a client of the served model sees.

    Returns:
        The threshold; inf if no threshold is precise enough.
    """
    scores, rows = top_k(
        queries.embeddings,
        gallery.embeddings,
        k,
        query_ids=queries.ids,
        gallery_ids=gallery.ids,
    )
    found = rows >= 0
    same = gallery.labels[np.maximum(rows, 0)] == queries.labels[:, np.newaxis]
    return precision_threshold(scores[found], same[found], precision)


class Executor(base_executor.BaseExecutor):
    """Executor of `SimilarityIndexer`."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the servable model.

        Raises:
            ValueError: A gallery or a calibration split without images.
        """
        config = IndexerConfig(**json.loads(exec_properties["config"]))
        embeddings = artifact_utils.get_single_instance(input_dict["embeddings"])
        model = artifact_utils.get_single_instance(input_dict["model"])
        servable = artifact_utils.get_single_instance(output_dict["servable"])

        gallery = records.read(embeddings.uri, config.splits)
        threshold = match_threshold(
            records.read(embeddings.uri, [config.calibration_split]),
            gallery,
            k=config.neighbours,
            precision=config.match_precision,
        )
        logging.info("Gallery of %d images, match threshold %.4f.", len(gallery), threshold)
        save(
            SimilarityModel(
                path_utils.serving_model_path(model.uri),
                gallery,
                k=config.neighbours,
                threshold=threshold,
            ),
            path_utils.serving_model_dir(servable.uri),
        )
        servable.set_int_custom_property("gallery_size", len(gallery))
        # ML Metadata cannot store infinity; without the property, nothing is a match.
        if math.isfinite(threshold):
            servable.set_float_custom_property("match_threshold", threshold)
