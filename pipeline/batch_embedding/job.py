"""The job: photos in, a folder of embeddings out, which gets its name when all is done."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils import shared

from pipeline.batch_embedding.embedding import BAD, GOOD, EmbedPhotos
from pipeline.batch_embedding.output import BAD_FILE, COUNTS_FILE, WriteBad, WriteEmbeddings
from pipeline.batch_embedding.photos import ReadPhotos, Source
from pipeline.embedding_file import EmbeddingFileError

# Photos left out that are named when they are too many.
_NAMED = 3


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How many photos were embedded, and how many left out."""

    embedded: int
    bad: int


def embed(
    source: Source,
    model: str,
    output: str,
    *,
    form: str,
    max_bad_share: float,
    beam_args: Sequence[str],
) -> Outcome:
    """Embeds all photos.

    Args:
        source: Where they are.
        model: Folder of a pushed version.
        output: Folder to make, on any file system that Beam has.
        form: One of `output.FORMATS`.
        max_bad_share: Share of the photos that may be left out.
        beam_args: Options of Beam.

    Raises:
        EmbeddingFileError: The folder is there already, there is no photo, or too many are bad.
    """
    try:
        return _embed(source, model, output.rstrip("/"), form, max_bad_share, beam_args)
    except BeamIOError as error:
        raise EmbeddingFileError(f"a file cannot be read or written: {error}") from error


def _embed(
    source: Source,
    model: str,
    output: str,
    form: str,
    max_bad_share: float,
    beam_args: Sequence[str],
) -> Outcome:
    if _files(output):
        raise EmbeddingFileError(f"{output} is there already: delete it, or name another folder")
    partial = f"{output}.partial"
    _remove(partial)
    # Where nothing can be written is told before anything is done.
    if not FileSystems.exists(partial):
        FileSystems.mkdirs(partial)
    with beam.Pipeline(options=PipelineOptions(list(beam_args))) as pipeline:
        _build(pipeline, source, model, partial, form)
    # Beam keeps what was shared last until something else is: the model need not stay.
    shared.Shared().acquire(set)
    outcome = _outcome(partial)
    total = outcome.embedded + outcome.bad
    if not total:
        _remove(partial)
        raise EmbeddingFileError(f"{source.pattern} names no photo")
    if outcome.bad > max_bad_share * total or not outcome.embedded:
        raise EmbeddingFileError(
            f"{outcome.bad} of {total} photos cannot be used, and --max-bad-share is "
            f"{max_bad_share}: {_named(partial)}; all of them are in {partial}/{BAD_FILE}"
        )
    _publish(partial, output)
    return outcome


def _build(pipeline: beam.Pipeline, source: Source, model: str, folder: str, form: str) -> None:
    photos = pipeline | ReadPhotos(source) | EmbedPhotos(model)
    photos[GOOD] | "Write" >> WriteEmbeddings(folder, form)
    photos[BAD] | "WriteBad" >> WriteBad(folder)
    kinds = [
        photos[kind] | f"Kind[{kind}]" >> beam.Map(lambda _, kind: kind, kind)
        for kind in (GOOD, BAD)
    ]
    (
        kinds
        | beam.Flatten()
        | beam.combiners.Count.PerElement()
        | "Line" >> beam.Map(json.dumps)
        | "WriteCounts"
        >> beam.io.WriteToText(f"{folder}/{COUNTS_FILE}", num_shards=1, shard_name_template="")
    )


def _outcome(folder: str) -> Outcome:
    with FileSystems.open(f"{folder}/{COUNTS_FILE}") as file:
        counts = dict(json.loads(line) for line in file.read().decode().splitlines())
    return Outcome(counts.get(GOOD, 0), counts.get(BAD, 0))


def _named(folder: str) -> str:
    with FileSystems.open(f"{folder}/{BAD_FILE}") as file:
        lines = itertools.takewhile(bool, (file.readline() for _ in range(_NAMED)))
        bad = [json.loads(line) for line in lines]
    return "; ".join(f"{one['id']} {one['reason']}" for one in bad)


def _publish(partial: str, output: str) -> None:
    """Gives the finished folder its name."""
    FileSystems.delete([f"{partial}/{COUNTS_FILE}"])
    if "://" not in output:
        os.rename(partial, output)
        return
    # A bucket has no folders: file by file, which the store does without sending them.
    names = _files(partial)
    FileSystems.rename(names, [output + name.removeprefix(partial) for name in names])


def _files(folder: str) -> list[str]:
    (found,) = FileSystems.match([f"{folder}/**"])
    return [file.path for file in found.metadata_list]


def _remove(folder: str) -> None:
    """Removes what a job that was cut short has left."""
    if _files(folder):
        FileSystems.delete([f"{folder}/"])
