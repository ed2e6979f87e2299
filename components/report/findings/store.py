"""Findings as files: `findings.json`, and `pictures.json` with the pictures in base64.

Light enough for a command's start: TensorFlow is imported for a bucket only.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
from typing import IO, Any

CONTENT_FILE, PICTURES_FILE = "findings.json", "pictures.json"
VERSION = 1


@dataclasses.dataclass(frozen=True)
class Findings:
    """What was found.

    Attributes:
        content: Numbers and words, as JSON has them; the keys are documented in `gather.py`.
        pictures: WebP images, by the keys that the content names them with.
    """

    content: dict[str, Any]
    pictures: dict[str, bytes]


def write(findings: Findings, folder: str | os.PathLike[str]) -> None:
    """Writes findings into a folder, which may be in a bucket.

    Each file appears whole or not at all, the content last: where there is content, there is all.

    Raises:
        ValueError: The content holds NaN or infinity.
    """
    encoded = {
        key: base64.b64encode(picture).decode() for key, picture in findings.pictures.items()
    }
    root = os.fspath(folder)
    content = json.dumps(findings.content, ensure_ascii=False, allow_nan=False)
    _write_whole(os.path.join(root, PICTURES_FILE), json.dumps(encoded, ensure_ascii=False))
    _write_whole(os.path.join(root, CONTENT_FILE), content)


def read(folder: str | os.PathLike[str]) -> Findings:
    """Reads what `write` has written.

    Raises:
        OSError: There are no findings.
        ValueError: They are of another version of the format.
    """
    root = os.fspath(folder)
    with _open(os.path.join(root, CONTENT_FILE), "r") as file:
        content = json.load(file)
    if content.get("version") != VERSION:
        raise ValueError(
            f"the findings in {root} are of version {content.get('version')} of the format, this "
            f"flowersim reads version {VERSION}: have the report made again"
        )
    with _open(os.path.join(root, PICTURES_FILE), "r") as file:
        encoded = json.load(file)
    return Findings(content, {key: base64.b64decode(text) for key, text in encoded.items()})


def _in_bucket(path: str) -> bool:
    return "://" in path


def _open(path: str, mode: str) -> IO[str]:
    if _in_bucket(path):
        import tensorflow as tf

        return tf.io.gfile.GFile(path, mode)
    return open(path, mode, encoding="utf-8")


def _write_whole(path: str, text: str) -> None:
    partial = f"{path}.partial"
    if _in_bucket(path):
        import tensorflow as tf

        tf.io.gfile.makedirs(os.path.dirname(path))
        with _open(partial, "w") as file:
            file.write(text)
        tf.io.gfile.rename(partial, path, overwrite=True)
        return
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with _open(partial, "w") as file:
        file.write(text)
    os.replace(partial, path)
