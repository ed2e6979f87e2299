"""The second look at a log, in Beam: embeds the chosen photos, and finds their best scores."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import apache_beam as beam
import numpy as np
from apache_beam.utils import shared

from components.drift_monitor.logged_requests import LoggedPhoto, read_log
from components.drift_monitor.served import ServedModel
from trainer_module.progress_log import ImageCounter

BATCH_SIZE = 32


class Examined(NamedTuple):
    """What is known of a photo.

    Attributes:
        digest: SHA-256 of its bytes, in hexadecimal digits.
        embedding: float32 [D]; None if the photo cannot be decoded.
        score: Of the nearest gallery image; −1 if there is none.
    """

    digest: str
    embedding: np.ndarray | None
    score: float


Chosen = Mapping[str, Mapping[tuple[int, int], str]]


class Examine(beam.DoFn):
    """From paths to `Examined` photos; those that were chosen.

    A file is a piece of work, and its batches are the same in each run: embeddings depend a little
    on what is embedded together.
    """

    def __init__(self, model_folder: str, loaded: shared.Shared) -> None:
        self._model_folder = model_folder
        self._loaded = loaded

    def setup(self) -> None:
        """Loads the model, once for each process."""
        self._model = self._loaded.acquire(
            lambda: ServedModel(self._model_folder), tag=self._model_folder
        )
        self._counter = ImageCounter()

    def process(self, path: str, chosen: Chosen) -> Iterator[Examined]:
        """Reads a file.

        Args:
            path: The file.
            chosen: Digests of photos by file, and in it by record and row.
        """
        wanted = chosen.get(path, {})
        batch: list[tuple[str, bytes]] = []
        for found in read_log(path) if wanted else ():
            if isinstance(found, LoggedPhoto) and (found.record, found.row) in wanted:
                batch.append((wanted[found.record, found.row], found.image))
                if len(batch) == BATCH_SIZE:
                    yield from self._examine(batch)
                    batch = []
        if batch:
            yield from self._examine(batch)

    def finish_bundle(self) -> None:
        """Reports the rest of the progress."""
        self._counter.flush()

    def _examine(self, batch: list[tuple[str, bytes]]) -> Iterator[Examined]:
        embeddings = self._model.embed([image for _, image in batch])
        good = [embedding for embedding in embeddings if embedding is not None]
        scores = iter(self._model.best_scores(np.array(good)).tolist())
        for (digest, _), embedding in zip(batch, embeddings, strict=True):
            yield Examined(digest, embedding, -1.0 if embedding is None else next(scores))
        self._counter.add(len(batch))


def by_file(chosen: list[tuple[str, tuple[str, int, int]]]) -> Chosen:
    """Sorts chosen photos by the files that they are read from."""
    files: dict[str, dict[tuple[int, int], str]] = collections.defaultdict(dict)
    for digest, (path, record, row) in chosen:
        files[path][record, row] = digest
    return dict(files)
