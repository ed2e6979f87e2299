"""Deletes what still holds images that were removed: earlier versions, and artifacts of indexing.

Of a photo that was added by hand nothing is left then below the workdir. An image of the dataset
stays in the dataset, and in what the components before the indexer have made of it: training and
evaluation go on with it.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Collection, Iterator

import tensorflow as tf

from components.gallery_edit.ledger import GalleryError
from components.pusher import versions
from components.similarity_indexer.gallery_ids import gallery_images
from pipeline.gallery_nodes import ADDED_EMBEDDER, GALLERY_EDIT


@dataclasses.dataclass(frozen=True)
class Purged:
    """What was deleted.

    Attributes:
        versions: Numbers of versions that were pushed earlier.
        artifacts: Folders below `pipeline_root`.
        unknown: Versions that are no similarity models; they were left alone.
    """

    versions: tuple[int, ...]
    artifacts: tuple[str, ...]
    unknown: tuple[int, ...]


def purge(workdir: pathlib.Path, serving: str, removed: Collection[str]) -> Purged:
    """Deletes versions and artifacts that hold images with these ids; never the newest version.

    Args:
        workdir: Its `pipeline_root` is searched.
        serving: Folder of the versions.
        removed: The ids.

    Raises:
        GalleryError: The newest version holds one of them; nothing was deleted.
    """
    gone = set(removed)
    *earlier, newest = versions.complete_versions(serving)
    if still := sorted(gone & {*gallery_images(os.path.join(serving, str(newest)))}):
        raise GalleryError(
            f"version {newest}, which is served, still has {', '.join(still[:3])}; "
            "flowersim index remove makes one without it"
        )
    deleted, unknown = [], []
    for version in earlier:
        try:
            holds = gone & {*gallery_images(os.path.join(serving, str(version)))}
        except GalleryError:
            unknown.append(version)
            continue
        if holds:
            versions.delete(serving, version)
            deleted.append(version)
    artifacts = sorted({*_models(workdir / "pipeline_root", gone)} | {*_records(workdir, gone)})
    for folder in artifacts:
        # The cache takes no result whose folder is gone, so the step is repeated if need be.
        shutil.rmtree(folder)
    return Purged(tuple(deleted), tuple(map(str, artifacts)), tuple(unknown))


def _models(root: pathlib.Path, gone: set[str]) -> Iterator[pathlib.Path]:
    """Artifacts that are or contain a similarity model with one of the ids."""
    for artifact in root.glob("*/*/*"):
        for model in artifact.rglob(versions.COMPLETE):
            try:
                holds = gone & {*gallery_images(str(model.parent))}
            except GalleryError:
                continue
            if holds:
                yield artifact


def _records(workdir: pathlib.Path, gone: set[str]) -> Iterator[pathlib.Path]:
    """Artifacts with an added photo, or its embedding, that has one of the ids."""
    feature = {"id": tf.io.FixedLenFeature([], tf.string)}
    for node in (GALLERY_EDIT, ADDED_EMBEDDER):
        for artifact in (workdir / "pipeline_root" / node).glob("*/*"):
            files = [str(path) for path in artifact.glob("Split-*/*.gz")]
            records = tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()
            if any(
                tf.io.parse_single_example(record, feature)["id"].numpy().decode() in gone
                for record in records
            ):
                yield artifact
