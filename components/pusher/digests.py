"""The digest of a SavedModel, by which it is known again without being read.

Whoever has a finished model on the local disk writes it into the model; in a bucket, reading a
model means downloading it. Not for what is served: `versions.py`.
"""

from __future__ import annotations

import hashlib
import os

from tfx.dsl.io import fileio
from tfx.utils import io_utils

FILE = os.path.join("assets.extra", "model_digest.txt")


def stored(folder: str) -> str:
    """Returns the digest that lies in a model; empty if there is none."""
    path = os.path.join(folder, FILE)
    return io_utils.read_string_file(path) if fileio.exists(path) else ""


def store(folder: str, digest: str) -> None:
    """Writes the digest into a model, which must not change from now on."""
    io_utils.write_string_file(os.path.join(folder, FILE), digest)


def compute(folder: str) -> str:
    """SHA-256 over the names and contents of all files, but for a digest among them."""
    digest = hashlib.sha256()
    paths = [
        os.path.join(directory, name)
        for directory, _, names in fileio.walk(folder)
        for name in names
    ]
    for path in sorted(paths):
        name = os.path.relpath(path, folder)
        if name == FILE:
            continue
        digest.update(f"{name}\0".encode())
        with fileio.open(path, "rb") as file:
            content = hashlib.sha256()
            while chunk := file.read(1 << 20):
                content.update(chunk)
        digest.update(content.digest())
    return digest.hexdigest()
