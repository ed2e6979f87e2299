"""The edits of a gallery as the indexer reads them: `edits.json` of the GalleryEdits artifact."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os

from tfx.dsl.io import fileio

FILE = "edits.json"

# The split of added photos, in examples and embeddings.
ADDED_SPLIT = "added"


@dataclasses.dataclass(frozen=True)
class Edits:
    """What is changed in a gallery.

    Attributes:
        added: Ids of photos that the dataset does not have.
        removed: Ids that may not be found, whether or not the dataset has them.
    """

    added: tuple[str, ...]
    removed: frozenset[str]


def write(edits: Edits, uri: str) -> None:
    """Writes the edits into an artifact."""
    content = {"added": list(edits.added), "removed": sorted(edits.removed)}
    fileio.makedirs(uri)
    with fileio.open(os.path.join(uri, FILE), "w") as file:
        file.write(json.dumps(content, indent=1, ensure_ascii=False))


def read(uri: str) -> Edits:
    """Reads the edits of an artifact."""
    with fileio.open(os.path.join(uri, FILE)) as file:
        content = json.loads(file.read())
    return Edits(tuple(content["added"]), frozenset(content["removed"]))


def unseen_label(class_name: str) -> int:
    """The label of a class that the dataset does not have.

    It follows from the name alone, so it is the same in every model and workdir. It is below −1:
    the labels of datasets count from 0, and −1 pads the answers of a small gallery.
    """
    return -2 - int.from_bytes(hashlib.sha256(class_name.encode()).digest()[:4], "big")
