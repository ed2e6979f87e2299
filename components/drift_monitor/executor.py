"""The work of DriftMonitor: both looks at the log in Beam, then the comparison here."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import apache_beam as beam
import numpy as np
from absl import logging
from apache_beam.utils import shared
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.drift_monitor import report, survey
from components.drift_monitor.config import DriftConfig
from components.drift_monitor.examination import Examine, Examined, by_file
from components.drift_monitor.log_files import time_range
from components.drift_monitor.served import ServedModel
from components.drift_monitor.verdict import Side, compare, judge
from components.image_embedder import records

# Left only while the component works.
_COUNTS, _PHOTOS = "counts.json", "photos.npz"

Counts = list[tuple[tuple[str, str], int]]


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of `DriftMonitor`."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the report; drift is no error.

        Raises:
            ValueError: No image of the reference split is embedded, or the model is no similarity
                model.
            OSError: A file of the log is gone.
        """
        config = DriftConfig(**json.loads(exec_properties["config"]))
        files: list[str] = json.loads(exec_properties["logs"])
        folder = exec_properties["model_folder"]
        uri = artifact_utils.get_single_instance(input_dict["embeddings"]).uri
        found = artifact_utils.get_single_instance(output_dict["report"])

        counts, photos, undecodable = self._read(files, folder, config, found.uri)
        model = ServedModel(folder)
        reference = records.read(uri, [config.reference_split])
        comparison = None
        if len(photos) >= config.min_photos:
            scores = model.best_scores(reference.embeddings, reference.ids)
            comparison = compare(
                photos, Side(reference.embeddings, scores), model.threshold, config
            )
        result = report.Report(
            verdict=judge(comparison, len(photos), config),
            requests=_requests(files, counts, undecodable),
            examined=len(photos),
            threshold=report.threshold_or_none(model.threshold),
            comparison=comparison,
            config=config,
        )
        with fileio.open(os.path.join(found.uri, report.FILE), "w") as file:
            file.write(result.dumps())
        found.set_int_custom_property("drifted", int(result.verdict.drifted))
        found.set_int_custom_property("photos", len(photos))
        for reason in result.verdict.reasons:
            logging.info("%s: %s", "Drift" if result.verdict.drifted else "No drift", reason)

    def _read(
        self, files: list[str], folder: str, config: DriftConfig, scratch: str
    ) -> tuple[Counts, Side, int]:
        """What the log holds, the chosen photos sorted by digest, how many are undecodable."""
        fileio.makedirs(scratch)
        places = [os.path.join(scratch, name) for name in (_COUNTS, _PHOTOS)]
        loaded = shared.Shared()
        with self._make_beam_pipeline() as pipeline:
            paths = pipeline | "Files" >> beam.Create(files) | beam.Reshuffle()
            looked = paths | "Survey" >> survey.Survey(config.max_photos)
            chosen = (
                looked[survey.PHOTOS]
                | "Chosen" >> beam.combiners.ToList()
                | "ByFile" >> beam.Map(by_file)
            )
            examined = paths | "Examine" >> beam.ParDo(
                Examine(folder, loaded), beam.pvalue.AsSingleton(chosen)
            )
            _ = (
                looked[survey.COUNTS]
                | "AllCounts" >> beam.combiners.ToList()
                | "WriteCounts" >> beam.Map(_write_counts, places[0])
            )
            _ = (
                examined
                | "AllPhotos" >> beam.combiners.ToList()
                | "WritePhotos" >> beam.Map(_write_photos, places[1])
            )
        # Beam keeps what was shared last until something else is: the model need not stay.
        shared.Shared().acquire(set)
        with fileio.open(places[0], "r") as file:
            counts = [((what, which), number) for (what, which), number in json.loads(file.read())]
        with fileio.open(places[1], "rb") as file:
            stored = np.load(io.BytesIO(file.read()))
            photos, undecodable = (
                Side(stored["embeddings"], stored["scores"]),
                stored["undecodable"],
            )
        for place in places:
            # What users asked about is not to stay here.
            fileio.remove(place)
        return counts, photos, int(undecodable)


def _requests(files: list[str], counts: Counts, undecodable: int) -> report.Requests:
    def of(kind: str) -> dict[str, int]:
        return {which: number for (what, which), number in sorted(counts) if what == kind}

    def most(kind: str) -> tuple[tuple[str, int], ...]:
        return tuple(sorted(of(kind).items(), key=lambda item: (-item[1], item[0])))

    return report.Requests(
        files=len(files),
        **time_range(files)._asdict(),
        photos=sum(of(survey.PHOTO).values()),
        without_match=sum(of(survey.NO_MATCH).values()),
        skipped=of(survey.SKIPPED),
        cut_files=tuple(of(survey.CUT)),
        models=of(survey.MODEL),
        undecodable=undecodable,
        ids=most(survey.IDENTITY),
        classes=most(survey.CLASS),
    )


def _write_counts(counts: Counts, place: str) -> None:
    with fileio.open(place, "w") as file:
        file.write(json.dumps(counts))


def _write_photos(photos: list[Examined], place: str) -> None:
    # By digest: in an order that has nothing to do with that of requests, and is always the same.
    good = sorted((p for p in photos if p.embedding is not None), key=lambda photo: photo.digest)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        embeddings=np.array([photo.embedding for photo in good], np.float32),
        scores=np.array([photo.score for photo in good], np.float32),
        undecodable=len(photos) - len(good),
    )
    with fileio.open(place, "wb") as file:
        file.write(buffer.getvalue())
