"""Names the damaged file among a run's results when a component could not read one.

What libraries say of it names no file, and may hold the bytes of half a photo. What they were to
read is read once more here, after the failure, so that undamaged results cost nothing.
"""

from __future__ import annotations

import logging
import pathlib
import zlib
from collections.abc import Callable, Iterable

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


def blame(error: Exception, folders: Callable[[], Iterable[str]], remedy: str) -> Exception:
    """Returns an error that names the damaged file, if there is one, or else the error given.

    Args:
        error: What a component has raised.
        folders: Looks up the artifacts of the run so far; local paths.
        remedy: What makes anew what is gone, for instance "the same command".
    """
    if not _is_of_damage(error):
        return error
    try:
        found = sorted(set(folders()))
    except Exception:  # ML Metadata's errors have no class in common.
        logging.getLogger(__name__).exception("what the component has read cannot be looked up")
        return error
    for folder in found:
        for path in sorted(pathlib.Path(folder).rglob("*.gz")):
            if reason := _damage(path):
                named = DamagedResultError(
                    f"{path}, the result of an earlier component, is damaged or cut short "
                    f"({reason}). Put a copy of the file back, or move the folder {folder} away: "
                    f"{remedy} then makes it anew, and all that depends on it"
                )
                named.__cause__ = error
                return named
    return error


def _is_of_damage(error: BaseException) -> bool:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        text = str(cause).lower()
        if isinstance(cause, EOFError | zlib.error) or any(word in text for word in _WORDS):
            return True
        cause = cause.__cause__
    return False


def _damage(path: pathlib.Path) -> str | None:
    """What TensorFlow says of a compressed TFRecord file that it cannot read to its end."""
    import tensorflow as tf

    try:
        for _ in tf.data.TFRecordDataset(str(path), compression_type="GZIP"):
            pass
    except tf.errors.DataLossError as error:
        message = error.message.splitlines()[0]
        return message.partition("}} ")[2] or message
    except tf.errors.OpError:
        return None  # It cannot be read for another reason.
    return None
