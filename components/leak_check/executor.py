"""The work of LeakCheck: the search in Beam, its result into a file."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
from absl import logging
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.image_embedder import records
from components.leak_check import report
from components.leak_check.search import FindNearDuplicates


@dataclasses.dataclass(frozen=True)
class LeakCheckConfig:
    """What counts as a leak.

    Attributes:
        splits: In their order; an image leaks if one of an earlier split looks like it.
        likeness: From which on two images are near-duplicates (`likeness.py`).
    """

    splits: tuple[str, ...]
    likeness: float


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of `LeakCheck`."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the list of near-duplicates."""
        config = LeakCheckConfig(**json.loads(exec_properties["config"]))
        embeddings = artifact_utils.get_single_instance(input_dict["embeddings"])
        found = artifact_utils.get_single_instance(output_dict["near_duplicates"])
        fileio.makedirs(found.uri)
        path = os.path.join(found.uri, report.FILE)
        with self._make_beam_pipeline() as pipeline:
            read = [
                pipeline
                | f"Read[{split}]"
                >> beam.io.ReadFromTFRecord(records.pattern(embeddings.uri, split))
                for split in config.splits
            ]
            _ = (
                read
                | beam.Flatten()
                | FindNearDuplicates(config.splits, config.likeness)
                | beam.combiners.ToList()
                | "Write" >> beam.Map(_write, path)
            )
        with fileio.open(path, "r") as file:
            count = len(report.loads(file.read()))
        found.set_int_custom_property("images", count)
        logging.info("Found %d near-duplicates across splits.", count)


def _write(found: Iterable[report.NearDuplicate], path: str) -> None:
    # Whole or not at all, should a runner try the step again.
    with fileio.open(f"{path}.partial", "w") as file:
        file.write(report.dumps(found))
    fileio.rename(f"{path}.partial", path, overwrite=True)
