"""Names the damaged file among a run's results when a component could not read one.

What libraries say of it names no file, and may hold the bytes of half a photo. What they were to
read is read once more here, after the failure, so that undamaged results cost nothing.
"""

from __future__ import annotations

import pathlib
import zlib
from collections.abc import Iterable

# Of errors that have crossed Beam, nothing but the text is left.
_WORDS = (
    "truncated record",
    "corrupted record",
    "not a valid tfrecord",
    "inflate() failed",
    "while decompressing",
    "end-of-stream marker",
)


class DamagedResultError(ValueError):
    """A result of an earlier component that cannot be read; the message names the file."""


def blame(error: Exception, folders: Iterable[str]) -> Exception:
    """Returns an error that names the damaged file, if there is one, or else the error given.

    Args:
        error: What a component has raised.
        folders: The artifacts of the run so far; local paths.
    """
    if not _is_of_damage(error):
        return error
    for folder in sorted(set(folders)):
        for path in sorted(pathlib.Path(folder).rglob("*.gz")):
            if reason := _damage(path):
                named = DamagedResultError(
                    f"{path}, the result of an earlier component, is damaged or cut short "
                    f"({reason}). Put a copy of the file back, or move the folder {folder} away: "
                    "the same command then makes it anew, and all that depends on it"
                )
                named.__cause__ = error
                return named
    return error


def _is_of_damage(error: BaseException) -> bool:
    text = str(error).lower()
    if isinstance(error, EOFError | zlib.error) or any(word in text for word in _WORDS):
        return True
    return error.__cause__ is not None and _is_of_damage(error.__cause__)


def _damage(path: pathlib.Path) -> str | None:
    """What TensorFlow says of a compressed TFRecord file that it cannot read to its end."""
    import tensorflow as tf

    try:
        for _ in tf.data.TFRecordDataset(str(path), compression_type="GZIP"):
            pass
    except tf.errors.DataLossError as error:
        message = error.message.splitlines()[0]
        return message.partition("}} ")[2] or message
    return None
