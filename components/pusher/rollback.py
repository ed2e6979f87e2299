"""Serves an earlier version again: its model appears as a new, higher version, whole or not at all.

Servers follow the highest number, so nothing has to be told to them, and nothing is deleted. The
new version holds (`hold.py`): until that is released, runs of the pipeline do not push.
"""

from __future__ import annotations

import dataclasses
import datetime
import os

from components.pusher import hold
from components.pusher.errors import RollbackError
from components.pusher.versions import (
    Published,
    complete_versions,
    publish_as,
    stored_digest,
)


@dataclasses.dataclass(frozen=True)
class VersionInfo:
    """A version as a person looks at it.

    Attributes:
        version: Its number.
        digest: Of its model; equal ones are the same model. Empty if something else pushed it.
        rollback: What it has to do with a rollback, or None.
    """

    version: int
    digest: str
    rollback: hold.Rollback | None


def list_versions(base: str) -> list[VersionInfo]:
    """Describes the versions below `base`, ascending."""
    return [
        VersionInfo(version, stored_digest(base, version), hold.read(base, version))
        for version in complete_versions(base)
    ]


def original(base: str, version: int) -> int:
    """The version as which the model of a version was first pushed."""
    note = hold.read(base, version)
    return version if note is None or note.copy_of is None else note.copy_of


def choose(base: str, version: int | None = None) -> int:
    """Returns the version to roll back to.

    Args:
        base: Folder of the versions.
        version: Its number, or None for the one before the newest. After a rollback that is the
            one before the version rolled back to, so each rollback leads one further back.

    Raises:
        RollbackError: There is no such version, none before the newest, or it is served already.
    """
    versions = complete_versions(base)
    if not versions:
        raise RollbackError(f"{base} has no version to roll back to")
    newest = versions[-1]
    served = stored_digest(base, newest)
    listed = "there are: " + ", ".join(map(str, versions))
    if version is None:
        first = original(base, newest)
        earlier = [
            v for v in versions if v < first and not (served and stored_digest(base, v) == served)
        ]
        if not earlier:
            raise RollbackError(f"no other model was pushed before version {first}; {listed}")
        return earlier[-1]
    if version not in versions:
        raise RollbackError(f"there is no version {version}; {listed}")
    if version == newest or (served and stored_digest(base, version) == served):
        raise RollbackError(f"the model of version {version} is what is served now; {listed}")
    return version


def roll_back(base: str, version: int) -> Published:
    """Makes the model of a version the newest version below `base`.

    Args:
        base: Folder of the versions; a local path or a bucket URL.
        version: What `choose` has returned.

    Returns:
        The new version.
    """
    note = hold.Rollback(
        copy_of=original(base, version),
        replaced=complete_versions(base)[-1],
        when=f"{datetime.datetime.now():%Y-%m-%dT%H:%M:%S}",
    )
    source = os.path.join(base, str(version))
    return publish_as(source, base, stored_digest(base, version), note)


def release(base: str) -> int:
    """Lets runs of the pipeline push again.

    Returns:
        The version that held.

    Raises:
        RollbackError: The newest version does not hold.
    """
    versions = complete_versions(base)
    note = hold.read(base, versions[-1]) if versions else None
    if note is None or not note.held:
        raise RollbackError("nothing is held: no rollback since the last push, or released before")
    hold.write(os.path.join(base, str(versions[-1])), dataclasses.replace(note, held=False))
    return versions[-1]
