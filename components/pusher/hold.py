"""The note that a rollback leaves in the version it makes, and the hold that goes with it.

While the newest version holds, runs of the pipeline push nothing: the next one would else serve
again what was rolled back from. Not for making or choosing versions: `rollback.py`.
"""

from __future__ import annotations

import dataclasses
import json
import os

from tfx.dsl.io import fileio
from tfx.utils import io_utils

FILE = os.path.join("assets.extra", "rollback.json")


@dataclasses.dataclass(frozen=True)
class Rollback:
    """What a version has to do with a rollback.

    Attributes:
        copy_of: The version whose model this is; None if it is one of its own that was pushed since
            (an edit of the gallery).
        replaced: The version that was served before the rollback.
        when: Local time of the rollback, in ISO format.
        held: Whether runs push nothing while this version is the newest.
    """

    copy_of: int | None
    replaced: int
    when: str
    held: bool = True


def read(base: str, version: int) -> Rollback | None:
    """Returns the note of a version below `base`, or None if no rollback has to do with it."""
    path = os.path.join(base, str(version), FILE)
    return Rollback(**json.loads(io_utils.read_string_file(path))) if fileio.exists(path) else None


def write(folder: str, note: Rollback) -> None:
    """Writes the note into the folder of a version, whole or not at all on a local disk."""
    path = os.path.join(folder, FILE)
    partial = path if "://" in path else f"{path}.partial"
    io_utils.write_string_file(partial, json.dumps(dataclasses.asdict(note)))
    if partial != path:
        fileio.rename(partial, path, overwrite=True)
