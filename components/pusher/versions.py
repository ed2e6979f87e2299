"""Version folders of a served model: which there are, and how one more is published.

A model server watches `BASE/<version>/`. A version must never be seen half-written, also when the
process that writes it dies, and the same model must not appear as two versions in a row.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import time
import uuid

from tfx.dsl.io import fileio
from tfx.utils import io_utils

from components.pusher import digests, hold
from components.pusher.errors import HeldError

# A file by which TensorFlow Serving and our server know that a version is complete.
COMPLETE = "saved_model.pb"
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
    """Identifies what a server of `base` serves: `VERSION:DIGEST`, empty if nothing.

    `:held` is added while a rollback holds pushes back.
    """
    versions = complete_versions(base)
    if not versions:
        return ""
    note = hold.read(base, versions[-1])
    held = ":held" if note is not None and note.held else ""
    return f"{versions[-1]}:{stored_digest(base, versions[-1])}{held}"


def publish(source: str, base: str, *, despite_hold: bool = False) -> Published:
    """Makes the SavedModel in `source` the newest version below `base`.

    Args:
        source: Folder of a SavedModel; a local path or a bucket URL. It is read to its end only if
            it becomes a version, or has no digest (`digests.py`).
        base: Folder of the versions; made if it does not exist.
        despite_hold: Push also while a rollback holds; the new version then holds in turn.

    Returns:
        The new version, or the newest one if that holds the same model already.

    Raises:
        FileNotFoundError: `source` holds no SavedModel.
        HeldError: A rollback holds pushes back.
    """
    if not fileio.exists(os.path.join(source, COMPLETE)):
        raise FileNotFoundError(f"{source} holds no {COMPLETE}, so it is no SavedModel")
    digest = digests.stored(source) or digests.compute(source)
    versions = complete_versions(base)
    if versions and stored_digest(base, versions[-1]) == digest:
        return Published(os.path.join(base, str(versions[-1])), versions[-1], is_new=False)
    note = hold.read(base, versions[-1]) if versions else None
    if note is None or not note.held:
        return publish_as(source, base, digest)
    if not despite_hold:
        raise HeldError(
            f"version {versions[-1]} is held since the rollback of {note.when} from version "
            f"{note.replaced}; flowersim rollback --release lets runs push again"
        )
    return publish_as(source, base, digest, dataclasses.replace(note, copy_of=None))


def publish_as(source: str, base: str, digest: str, note: hold.Rollback | None = None) -> Published:
    """Makes a SavedModel the newest version below `base`, whatever that holds.

    On a local disk the folder is written beside its place and renamed. Object stores have no
    rename; there `saved_model.pb` is written last.

    Args:
        source: Folder of a SavedModel, or of a version.
        base: Folder of the versions; made if it does not exist.
        digest: Of the model.
        note: What the new version has to do with a rollback.
    """
    versions = complete_versions(base)
    fileio.makedirs(base)
    _remove_leftovers(base)
    # By the clock, as TFX does, but rising even if the clock stands still or went back.
    version = max(int(time.time()), versions[-1] + 1 if versions else 1)
    target = os.path.join(base, str(version))
    if "://" in base:
        _copy(source, target, digest, note)
    else:
        partial = os.path.join(base, f"{_PARTIAL}{uuid.uuid4().hex}")
        try:
            _copy(source, partial, digest, note)
            fileio.rename(partial, target)
        except Exception:
            # On a disk that is full, what was copied has taken the rest of it. Where it cannot be
            # removed, the next push does so.
            with contextlib.suppress(Exception):
                _remove_leftovers(base)
            raise
    return Published(target, version, is_new=True)


def delete(base: str, version: int) -> None:
    """Deletes a version; a server sees it whole, or not at all.

    On object stores `saved_model.pb` goes first.
    """
    folder = os.path.join(base, str(version))
    if "://" in base:
        fileio.remove(os.path.join(folder, COMPLETE))
        fileio.rmtree(folder)
    else:
        leaving = os.path.join(base, f"{_PARTIAL}{uuid.uuid4().hex}")
        fileio.rename(folder, leaving)
        fileio.rmtree(leaving)


def _copy(source: str, target: str, digest: str, note: hold.Rollback | None) -> None:
    """Copies the model, its digest, and last of all the file that says it is complete."""
    complete = os.path.join(source, COMPLETE)
    not_copied = (complete, *(os.path.join(source, file) for file in (hold.FILE, digests.FILE)))
    io_utils.copy_dir(
        source, target, deny_regex_patterns=[f"^{re.escape(path)}$" for path in not_copied]
    )
    digests.store(target, digest)
    if note is not None:
        hold.write(target, note)
    io_utils.copy_file(complete, os.path.join(target, COMPLETE))


def _remove_leftovers(base: str) -> None:
    """Removes what pushes and deletions that died have left."""
    for name in fileio.listdir(base):
        folder = os.path.join(base, name.rstrip("/"))
        if name.startswith(_PARTIAL) or (
            "://" in base
            and name.rstrip("/").isdigit()
            and not fileio.exists(os.path.join(folder, COMPLETE))
        ):
            fileio.rmtree(folder)


def stored_digest(base: str, version: int) -> str:
    """Returns the digest of a version's model; empty if something else pushed it."""
    return digests.stored(os.path.join(base, str(version)))
