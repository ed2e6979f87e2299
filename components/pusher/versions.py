"""Version folders of a served model: which there are, and how one more is published.

A model server watches `BASE/<version>/`. A version must never be seen half-written, also when the
process that writes it dies, and the same model must not appear as two versions in a row.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import time
import uuid

from tfx.dsl.io import fileio
from tfx.utils import io_utils

# A file by which TensorFlow Serving and our server know that a version is complete.
COMPLETE = "saved_model.pb"
DIGEST_FILE = os.path.join("assets.extra", "model_digest.txt")
_PARTIAL = ".partial-"


@dataclasses.dataclass(frozen=True)
class Published:
    """A version folder.

    Attributes:
        path: The folder.
        version: Its name, a whole number.
        is_new: Whether this call made it.
    """

    path: str
    version: int
    is_new: bool


def complete_versions(base: str) -> list[int]:
    """Returns the versions that a server would load, ascending; none if `base` does not exist."""
    if not fileio.isdir(base):
        return []
    names = [name.rstrip("/") for name in fileio.listdir(base)]
    return sorted(
        int(name)
        for name in names
        if name.isdigit() and fileio.exists(os.path.join(base, name, COMPLETE))
    )


def newest_digest(base: str) -> str:
    """Identifies what a server of `base` serves: `VERSION:DIGEST`, empty if nothing."""
    versions = complete_versions(base)
    return f"{versions[-1]}:{_stored_digest(base, versions[-1])}" if versions else ""


def publish(source: str, base: str) -> Published:
    """Makes the SavedModel in `source` the newest version below `base`.

    On a local disk the folder is written beside its place and renamed. Object stores have no
    rename; there `saved_model.pb` is written last.

    Args:
        source: Folder of a SavedModel.
        base: Folder of the versions; made if it does not exist.

    Returns:
        The new version, or the newest one if that holds the same model already.

    Raises:
        FileNotFoundError: `source` holds no SavedModel.
    """
    if not fileio.exists(os.path.join(source, COMPLETE)):
        raise FileNotFoundError(f"{source} holds no {COMPLETE}, so it is no SavedModel")
    digest = _digest(source)
    versions = complete_versions(base)
    if versions and _stored_digest(base, versions[-1]) == digest:
        return Published(os.path.join(base, str(versions[-1])), versions[-1], is_new=False)
    fileio.makedirs(base)
    # By the clock, as TFX does, but rising even if the clock stands still or went back.
    version = max(int(time.time()), versions[-1] + 1 if versions else 1)
    target = os.path.join(base, str(version))
    if "://" in base:
        _copy(source, target, digest)
    else:
        _remove_leftovers(base)
        partial = os.path.join(base, f"{_PARTIAL}{uuid.uuid4().hex}")
        _copy(source, partial, digest)
        fileio.rename(partial, target)
    return Published(target, version, is_new=True)


def _copy(source: str, target: str, digest: str) -> None:
    """Copies the model, its digest, and last of all the file that says it is complete."""
    complete = os.path.join(source, COMPLETE)
    io_utils.copy_dir(source, target, deny_regex_patterns=[f"^{re.escape(complete)}$"])
    io_utils.write_string_file(os.path.join(target, DIGEST_FILE), digest)
    io_utils.copy_file(complete, os.path.join(target, COMPLETE))


def _remove_leftovers(base: str) -> None:
    """Removes what pushes that died have left."""
    for name in fileio.listdir(base):
        if name.startswith(_PARTIAL):
            fileio.rmtree(os.path.join(base, name))


def _stored_digest(base: str, version: int) -> str:
    path = os.path.join(base, str(version), DIGEST_FILE)
    return io_utils.read_string_file(path) if fileio.exists(path) else ""


def _digest(folder: str) -> str:
    """SHA-256 over the names and contents of all files."""
    digest = hashlib.sha256()
    paths = [
        os.path.join(directory, name)
        for directory, _, names in fileio.walk(folder)
        for name in names
    ]
    for path in sorted(paths):
        digest.update(f"{os.path.relpath(path, folder)}\0".encode())
        with fileio.open(path, "rb") as file:
            content = hashlib.sha256()
            while chunk := file.read(1 << 20):
                content.update(chunk)
        digest.update(content.digest())
    return digest.hexdigest()
