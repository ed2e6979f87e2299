"""The work of SimilarityIndexer: make the index, calibrate it, compose the model, save it."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, Literal

from absl import logging
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.gallery_edit import edits as gallery_edits
from components.image_embedder import records
from components.similarity_indexer.calibration import (
    exact_neighbours,
    match_threshold,
    routed_recall,
)
from components.similarity_indexer.gallery import with_added, without
from components.similarity_indexer.servable import SimilarityModel, save
from retrieval.cells import class_cells
from retrieval.rows import unit_rows
from retrieval.tf_routed_search import RoutedGallery
from retrieval.tf_search import ExactGallery
from trainer_module.progress_log import report


@dataclasses.dataclass(frozen=True)
class IndexerConfig:
    """What to index; see the `gallery` section of the settings.

    Attributes:
        splits: Splits whose images can be found.
        neighbours: K, the neighbours in each answer.
        calibration_split: Split whose queries set the match threshold.
        match_precision: Precision that matches among the calibration pairs must have.
        search: "exact", or "routed" through centroids of classes.
        probes: Cells of the gallery that a routed search looks into.
    """

    splits: tuple[str, ...]
    neighbours: int
    calibration_split: str
    match_precision: float
    # With defaults, for indexes of runs that had no choice.
    search: Literal["exact", "routed"] = "exact"
    probes: int = 32


def searched_gallery(
    gallery: records.EmbeddedImages, config: IndexerConfig
) -> ExactGallery | RoutedGallery:
    """The gallery's embeddings as they will be searched."""
    rows = unit_rows(gallery.embeddings)
    if config.search == "exact":
        return ExactGallery(rows)
    return RoutedGallery(rows, class_cells(rows, gallery.labels), probes=config.probes)


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

        report("reading the embedded images")
        gallery = records.read(embeddings.uri, config.splits)
        queries = records.read(embeddings.uri, [config.calibration_split])
        if input_dict.get("edits"):
            edits = gallery_edits.read(artifact_utils.get_single_uri(input_dict["edits"]))
            if edits.added:
                uri = artifact_utils.get_single_uri(input_dict["added"])
                gallery = with_added(gallery, records.read(uri, [gallery_edits.ADDED_SPLIT]))
            gallery = without(gallery, edits.removed)
            queries = without(queries, edits.removed)
            if not len(gallery):
                raise ValueError(
                    "every image of the gallery was removed; flowersim index restore allows some "
                    "again"
                )
        report(f"searching {len(gallery)} images for those of {len(queries)} queries")
        neighbours = exact_neighbours(queries, gallery, config.neighbours)
        threshold = match_threshold(neighbours, queries, gallery, precision=config.match_precision)
        logging.info("Gallery of %d images, match threshold %.4f.", len(gallery), threshold)
        report(f"composing and saving the model with {len(gallery)} images")
        searched = searched_gallery(gallery, config)
        save(
            SimilarityModel(
                path_utils.serving_model_path(model.uri),
                gallery,
                k=config.neighbours,
                threshold=threshold,
                searched=searched,
            ),
            path_utils.serving_model_dir(servable.uri),
        )
        servable.set_int_custom_property("gallery_size", len(gallery))
        # ML Metadata cannot store infinity; without the property, nothing is a match.
        if math.isfinite(threshold):
            servable.set_float_custom_property("match_threshold", threshold)
        if isinstance(searched, RoutedGallery):
            report(f"measuring the routed search with {len(queries)} queries")
            recall = routed_recall(neighbours, queries, gallery, searched)
            probed = searched.probes_for(config.neighbours)
            logging.info(
                "Routed search in %d of %d cells finds %.4f of the %d nearest.",
                probed,
                searched.cells,
                recall,
                config.neighbours,
            )
            servable.set_int_custom_property("gallery_cells", searched.cells)
            servable.set_int_custom_property("probed_cells", probed)
            if math.isfinite(recall):
                servable.set_float_custom_property("routed_recall", recall)
