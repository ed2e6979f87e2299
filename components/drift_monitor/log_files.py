"""Which files a request log consists of, and what tells that they have changed.

Names and sizes only: what is in them is read by `logged_requests.py`.
"""

from __future__ import annotations

import datetime
import glob
import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

SUFFIX = ".tfrecord"

# serving/request_log.py names them PREFIX-UTC_TIME-PROCESS.tfrecord.
_BEGUN = re.compile(r"-(\d{8}T\d{6}\.\d{6})Z-\d+" + re.escape(SUFFIX) + "$")


class TimeRange(NamedTuple):
    """When a log was written, in UTC and ISO format; records themselves have no time.

    Attributes:
        begun: When the first file was begun, by its name; None if no name says.
        written: When a file was written to last.
    """

    begun: str | None
    written: str


def find_logs(places: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Lists the files of request logs.

    Args:
        places: Each a file, a folder of files `*.tfrecord`, or the server's prefix:
            the beginning that `PREFIX-*.tfrecord` have in common.

    Returns:
        Absolute paths, sorted, each once.

    Raises:
        FileNotFoundError: A place where nothing is; the message names it.
    """
    found: set[str] = set()
    for place in places:
        path = os.path.abspath(os.path.expanduser(place))
        if os.path.isfile(path):
            found.add(path)
            continue
        beginning = glob.escape(path)
        pattern = f"{beginning}/*{SUFFIX}" if os.path.isdir(path) else f"{beginning}-*{SUFFIX}"
        files = [name for name in glob.glob(pattern) if os.path.isfile(name)]
        if not files:
            what = "no file *" if os.path.isdir(path) else "no file, no folder, and no file with -*"
            raise FileNotFoundError(
                f"{place}: {what}{SUFFIX} there; flowersim serve --request-log writes them"
            )
        found.update(files)
    return sorted(found)


def fingerprint(files: Sequence[str]) -> str:
    """Returns 16 hexadecimal digits that change when a file is written to, comes or goes."""
    digest = hashlib.sha256()
    for path in files:
        about = os.stat(path)
        digest.update(f"{path}\0{about.st_size}\0{about.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]


def time_range(files: Sequence[str]) -> TimeRange:
    """Returns when one or more files were written."""
    begun = [
        datetime.datetime.strptime(match[1], "%Y%m%dT%H%M%S.%f")
        for match in map(_BEGUN.search, files)
        if match
    ]
    written = max(os.stat(path).st_mtime for path in files)
    last = datetime.datetime.fromtimestamp(written, datetime.timezone.utc)
    return TimeRange(
        f"{min(begun):%Y-%m-%dT%H:%M:%S}Z" if begun else None, f"{last:%Y-%m-%dT%H:%M:%S}Z"
    )
