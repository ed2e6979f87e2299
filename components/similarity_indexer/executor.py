"""The work of SimilarityIndexer: embed in Beam, calibrate the match threshold, compose, save."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from typing import Any

import numpy as np
from absl import logging
from apache_beam.utils import shared
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.similarity_indexer import records
from components.similarity_indexer.embedding import EmbedSplit
from components.similarity_indexer.servable import SimilarityModel, save
from retrieval.calibration import precision_threshold
from retrieval.search import top_k

BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class IndexerConfig:
    """What to index; see the `gallery` section of the settings.

    Attributes:
        splits: Splits whose images can be found.
        neighbours: K, the neighbours in each answer.
        calibration_split: Split whose queries set the match threshold.
        match_precision: Precision that matches among the calibration pairs must have.
        thumbnail_size: Shorter side of thumbnails in pixels.
    """

    splits: tuple[str, ...]
    neighbours: int
    calibration_split: str
    match_precision: float
    thumbnail_size: int


def match_threshold(
    queries: records.Gallery, gallery: records.Gallery, *, k: int, precision: float
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


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of `SimilarityIndexer`."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the index and the servable model.

        Raises:
            ValueError: A split that the examples lack, or a gallery without images.
        """
        config = IndexerConfig(**json.loads(exec_properties["config"]))
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        model = artifact_utils.get_single_instance(input_dict["model"])
        index = artifact_utils.get_single_instance(output_dict["index"])
        servable = artifact_utils.get_single_instance(output_dict["servable"])
        model_folder = path_utils.serving_model_path(model.uri)

        present = artifact_utils.decode_split_names(examples.split_names)
        wanted = list(dict.fromkeys([*config.splits, config.calibration_split]))
        missing = [split for split in wanted if split not in present]
        if missing:
            raise ValueError(
                f"gallery.splits and gallery.calibration_split name {', '.join(missing)}; "
                f"the data has the splits {', '.join(present)}"
            )
        loaded = shared.Shared()
        with self._make_beam_pipeline() as pipeline:
            for split in wanted:
                pattern = os.path.join(artifact_utils.get_split_uri([examples], split), "*")
                pipeline | f"Embed[{split}]" >> EmbedSplit(
                    pattern,
                    records.split_folder(index.uri, split),
                    model_folder,
                    thumbnail_size=config.thumbnail_size,
                    batch=BATCH_SIZE,
                    loaded=loaded,
                )

        gallery = records.read(index.uri, config.splits)
        threshold = match_threshold(
            records.read(index.uri, [config.calibration_split]),
            gallery,
            k=config.neighbours,
            precision=config.match_precision,
        )
        logging.info("Gallery of %d images, match threshold %.4f.", len(gallery), threshold)
        save(
            SimilarityModel(model_folder, gallery, k=config.neighbours, threshold=threshold),
            path_utils.serving_model_dir(servable.uri),
        )
        for artifact in (index, servable):
            artifact.set_int_custom_property("gallery_size", len(gallery))
            # ML Metadata cannot store infinity; without the property, nothing is a match.
            if math.isfinite(threshold):
                artifact.set_float_custom_property("match_threshold", threshold)
