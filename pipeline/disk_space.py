"""Tells a full disk from other failures, and says in one sentence which disk it is.

Libraries pack the operating system's error into errors of their own (TensorFlow, HDF5, SQLite,
Beam), of which often nothing but the text is left. Nothing here makes space.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator

_FULL = (errno.ENOSPC, errno.EDQUOT)
# What is left of these numbers in the errors of libraries; SQLite has words of its own.
_WORDS = (
    os.strerror(errno.ENOSPC).lower(),
    os.strerror(errno.EDQUOT).lower(),
    "database or disk is full",
)
_MEGABYTE = 1e6
# Characters. TensorFlow's messages may hold a whole graph.
_LONGEST = 300


class DiskFullError(OSError):
    """Something could not be written for want of space; the message names the place."""


def is_full(error: BaseException) -> bool:
    """Whether an error, or what caused it, is that no space is left on a disk."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return True
        text = str(cause).lower()
        if any(word in text for word in _WORDS):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def free_space(*places: str | os.PathLike[str]) -> str:
    """Says how much is free where runs write, now.

    Args:
        places: Folders, of which one is named for each disk; of one that is not there yet, the
            folder that it would be made in. Nothing is said of buckets. The folder for temporary
            files, into which libraries write too, is named as well if it is on a disk of its own.
    """
    # Not gettempdir(): it tries to write, and raises where it cannot.
    temporary = tempfile.tempdir or os.environ.get("TMPDIR") or "/tmp"
    by_disk: dict[int, str] = {}
    local = [name for name in (os.fspath(place) for place in places) if "://" not in name]
    for place in map(_existing, [*local, temporary]):
        with contextlib.suppress(OSError):
            by_disk.setdefault(os.stat(place).st_dev, place)
    return "; ".join(map(_free, by_disk.values()))


def what_happened(error: BaseException) -> str:
    """Says in a line what an error of a full disk says itself, which may be the file's name."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _existing(place: str) -> str:
    folder = os.path.abspath(os.path.expanduser(place))
    while not os.path.exists(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return folder


def _free(place: str) -> str:
    disk = os.statvfs(place)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    # Some file systems have no fixed number of files, and say 0 for both.
    files = ", but no more files are possible" if disk.f_files and not disk.f_favail else ""
    return (
        f"the disk of {place} has {free / _MEGABYTE:,.1f} MB of {total / _MEGABYTE:,.1f} MB "
        f"free{files}"
    )


@contextlib.contextmanager
def full_disk_told(
    *places: str | os.PathLike[str], but: type[Exception] | tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turns errors of a full disk, which say no more than that, into one that names the disk.

    Args:
        places: As for `free_space`.
        but: Errors that name it already, or are caused by such.

    Raises:
        DiskFullError: In the place of an error that means a full disk.
    """
    try:
        yield
    except but:
        raise
    except Exception as error:
        if not is_full(error):
            raise
        raise DiskFullError(
            f"no space is left for what has to be written: {free_space(*places)}; make space, and "
            f"run the same command again ({what_happened(error)})"
        ) from error
