"""Brings a prepared dataset, its schema and the gallery's ledger to where a cluster's steps read.

A staged folder is named after what it holds and never changes: a pipeline that was compiled for it,
and a cache that knows it by its name, stay right.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator

from absl import logging

from components.gallery_edit.ledger import read as read_ledger
from pipeline.deployment import places as layout
from pipeline.places import LedgerPlace
from pipeline.prepare import PreparedData, prepare
from pipeline.settings import Settings
from pipeline.workdir_layout import ledger_folder

SCHEMA = "schema.pbtxt"

# Written last: a folder without it was not staged to its end.
_COMPLETE = "staged.txt"


@dataclasses.dataclass(frozen=True)
class StagedData:
    """What a compiled pipeline reads.

    Attributes:
        folder: The prepared dataset.
        schema: Its schema file.
        ledger: What was changed in the gallery by hand; None if nothing was.
    """

    folder: str
    schema: str
    ledger: LedgerPlace | None = None


def place_of(root: str, data: PreparedData, workdir: str) -> StagedData:
    """Returns where a dataset and a workdir's ledger belong, staged or not.

    Args:
        root: Of the deployed pipeline.
        data: On this machine.
        workdir: Whose ledger goes with it.
    """
    dataset = os.path.join(layout.staged_data(root), _digest(data), _name(data.folder))
    return StagedData(dataset, os.path.join(dataset, SCHEMA), _ledger_place(root, workdir))


def _ledger_place(root: str, workdir: str) -> LedgerPlace | None:
    digest = read_ledger(str(ledger_folder(workdir))).digest
    return LedgerPlace(os.path.join(layout.staged_ledgers(root), digest), digest) or None


def place_for(settings: Settings, root: str, workdir: str) -> StagedData:
    """Returns where the dataset of the settings is staged, or belongs.

    Args:
        settings: All knobs. If `deployment.data_folder` names one, nothing is prepared.
        root: Of the deployed pipeline.
        workdir: Where the dataset is prepared, and whose ledger goes with it.

    Raises:
        PrepareError: The dataset cannot be brought in.
    """
    folder = settings.deployment.data_folder
    if folder is None:
        return place_of(root, prepare(settings.data, workdir), workdir)
    folder = folder.rstrip("/")
    return StagedData(folder, os.path.join(folder, SCHEMA), _ledger_place(root, workdir))


def stage(root: str, data: PreparedData, workdir: str) -> StagedData:
    """Copies what is not there yet.

    Args:
        root: Of the deployed pipeline; a local path or a bucket URL.
        data: On this machine.
        workdir: Whose ledger goes with it.

    Returns:
        Where it is.

    Raises:
        OSError: It cannot be written.
    """
    place = place_of(root, data, workdir)
    files = [(path, os.path.relpath(path, data.folder)) for path in _files(data.folder)]
    _copy([*files, (data.schema_path, SCHEMA)], place.folder)
    if place.ledger:
        local = str(ledger_folder(workdir))
        _copy([(path, os.path.relpath(path, local)) for path in _files(local)], place.ledger.folder)
    return place


def is_staged(place: StagedData) -> bool:
    """Whether all of it was staged to its end; False also where that cannot be looked up."""
    from tfx.dsl.io import fileio

    folders = [place.folder, *([place.ledger.folder] if place.ledger else [])]
    try:
        return all(fileio.exists(os.path.join(folder, _COMPLETE)) for folder in folders)
    except Exception as error:  # Without credentials, a bucket gives errors of many types.
        logging.warning("Could not look for %s: %s.", place.folder, error)
        return False


def _copy(files: list[tuple[str, str]], folder: str) -> None:
    from tfx.dsl.io import fileio
    from tfx.utils import io_utils

    done = os.path.join(folder, _COMPLETE)
    if fileio.exists(done):
        return
    for source, name in files:
        io_utils.copy_file(source, os.path.join(folder, name), overwrite=True)
    io_utils.write_string_file(done, "".join(f"{name}\n" for _, name in files))


def _files(folder: str) -> Iterator[str]:
    for directory, names, files in os.walk(folder):
        names.sort()
        yield from (os.path.join(directory, name) for name in sorted(files))


def _name(folder: str) -> str:
    """The dataset's name and what follows it in its path, such as `NAME/VERSION`."""
    return os.path.join(*os.path.normpath(folder).split(os.sep)[-2:])


def _digest(data: PreparedData) -> str:
    """Names a dataset by its description, its schema, and its files' names and sizes."""
    digest = hashlib.sha256()
    for path in _files(data.folder):
        name = os.path.relpath(path, data.folder)
        digest.update(f"{name}\0{os.path.getsize(path)}\0".encode())
        if name.endswith(".json"):
            with open(path, "rb") as file:
                digest.update(file.read())
    with open(data.schema_path, "rb") as file:
        digest.update(file.read())
    return digest.hexdigest()[:16]
