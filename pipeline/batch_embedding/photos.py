"""Finds photos in any file system that Beam has, and reads them a batch at a time.

Only names are shuffled between workers: the photos themselves never are, so that memory does not
depend on how many there are. Whether they are photos is for the model to say (`embedding.py`).
"""

from __future__ import annotations

import concurrent.futures
import itertools
import posixpath
from collections.abc import Iterator
from typing import NamedTuple

import apache_beam as beam
from apache_beam.io import fileio
from apache_beam.io.filesystems import FileSystems

from components.photo_folder.scan import IMAGE_SUFFIXES, SPLIT_NAMES
from pipeline.embedding_file import EmbeddingFileError

BATCH = 32
# Photos of a batch that are fetched at once: from a bucket each takes longer than to embed it.
_FETCHED_AT_ONCE = 16
_RECORDS = ".tfrecord"
_WILDCARDS = "*?["


class Photo(NamedTuple):
    """A photo, or why there is none.

    Attributes:
        identity: Its path below the folder that was given, or the id in its record.
        class_name: What it shows; empty if that is not known.
        content: The file as it is encoded.
        problem: Why it could not be read; empty if it could.
    """

    identity: str
    class_name: str
    content: bytes
    problem: str = ""


class Source(NamedTuple):
    """Where photos are.

    Attributes:
        pattern: Of their files, or of the files of records.
        base: Folder that their ids are paths below, with a slash at its end.
        records: Whether the files hold records.
        split_folders: How many folders lie above those of the classes: 1 with splits, else 0.
    """

    pattern: str
    base: str
    records: bool
    split_folders: int


def source_of(photos: str) -> Source:
    """Tells from a path what is meant.

    Args:
        photos: A folder, whose photos may lie at any depth; a pattern of files; or files of
            records (`tf.train.Example`s with `image`), whose names contain `.tfrecord`.

    Raises:
        OSError: A folder that is not there or holds nothing.
    """
    records = _RECORDS in posixpath.basename(photos)
    wild = min((photos.find(sign) for sign in _WILDCARDS if sign in photos), default=-1)
    if records or wild >= 0:
        base = photos[: (photos[:wild] if wild >= 0 else photos).rfind("/") + 1]
        return Source(photos, base, records, 0)
    import tensorflow as tf

    base = photos.rstrip("/") + "/"
    try:
        names = tf.io.gfile.listdir(base)
    except tf.errors.OpError as error:
        raise OSError(f"{photos} cannot be read as a folder: {error.message}") from error
    # Photos are not asked whether they are folders: there may be a million of them.
    others = [name for name in names if not (name.startswith(".") or _has_image_suffix(name))]
    tops = [name.rstrip("/") for name in others if tf.io.gfile.isdir(base + name)]
    split = bool(tops) and all(name.lower() in SPLIT_NAMES for name in tops)
    return Source(f"{base}**", base, False, int(split))


class ReadPhotos(beam.PTransform):
    """Gives batches of photos, lists of up to `BATCH`."""

    def __init__(self, source: Source) -> None:
        """Keeps the source; finds nothing yet."""
        super().__init__()
        self._source = source

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Builds the steps."""
        source = self._source
        names = (
            pipeline
            | "Find" >> fileio.MatchFiles(source.pattern, fileio.EmptyMatchTreatment.ALLOW)
            | "Name" >> beam.Map(lambda found: found.path)
        )
        if source.records:
            return names | "Spread" >> beam.Reshuffle() | "Read" >> beam.FlatMap(_records, source)
        return (
            names
            | "Choose" >> beam.Filter(_is_photo, source)
            | "Spread" >> beam.Reshuffle()
            | "Batch" >> beam.BatchElements(min_batch_size=BATCH, max_batch_size=BATCH)
            | "Read" >> beam.Map(_read, source)
        )


def _is_photo(path: str, source: Source) -> bool:
    """Whether a file of a folder is to be embedded; of a pattern each is."""
    below = path.removeprefix(source.base)
    if any(part.startswith(".") for part in below.split("/")):
        return False
    if source.pattern != f"{source.base}**":
        return True
    return _has_image_suffix(path)


def _has_image_suffix(path: str) -> bool:
    return posixpath.splitext(path)[1].lower() in IMAGE_SUFFIXES


def _read(paths: list[str], source: Source) -> list[Photo]:
    with concurrent.futures.ThreadPoolExecutor(_FETCHED_AT_ONCE) as readers:
        return list(readers.map(lambda path: _photo(path, source), paths))


def _photo(path: str, source: Source) -> Photo:
    identity = path.removeprefix(source.base)
    folders = identity.split("/")[source.split_folders : -1]
    class_name = folders[0] if folders else ""
    try:
        # As it is: Beam would unpack what looks packed.
        with FileSystems.open(path, compression_type="uncompressed") as file:
            return Photo(identity, class_name, file.read())
    except Exception as error:  # each file system has errors of its own
        return Photo(identity, class_name, b"", f"cannot be read: {error}"[:300])


def _records(path: str, source: Source) -> Iterator[list[Photo]]:
    """Batches of the photos in a file of records, which is read bit by bit.

    Raises:
        EmbeddingFileError: It is damaged, and nobody knows how many photos that concerns.
    """
    import tensorflow as tf

    kind = "GZIP" if path.endswith(".gz") else ""
    place = path.removeprefix(source.base)
    records = enumerate(tf.data.TFRecordDataset(path, kind).as_numpy_iterator())
    try:
        while batch := list(itertools.islice(records, BATCH)):
            yield [_example(record, f"{place}:{number}") for number, record in batch]
    except tf.errors.OpError as error:
        raise EmbeddingFileError(f"{path} cannot be read as TFRecords: {error.message}") from error


def _example(record: bytes, place: str) -> Photo:
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        features = tf.train.Example.FromString(record).features.feature
    except DecodeError:
        return Photo(place, "", b"", "is no tf.train.Example")

    def text(name: str) -> bytes:
        values = features[name].bytes_list.value if name in features else ()
        return values[0] if values else b""

    identity = (text("id") or text("file_name")).decode("utf-8", "replace")
    labels = features["label"].int64_list.value if "label" in features else ()
    class_name = text("class_name").decode("utf-8", "replace") or "".join(map(str, labels[:1]))
    problem = "" if text("image") else "has no feature image"
    return Photo(identity or place, class_name, text("image"), problem)
