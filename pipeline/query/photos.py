"""Where the photos of `flowersim query` come from: files, folders, URLs, standard input."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import sys
from collections.abc import Callable, Sequence

STANDARD_INPUT = "-"
# More than any camera's photo, and less than a model server takes in a request.
_MOST_BYTES = 64_000_000


@dataclasses.dataclass(frozen=True)
class Photo:
    """A photo that is to be asked about.

    Attributes:
        name: As the user knows it.
        read: Gives its encoded bytes; raises OSError, with a message that names it, if it cannot.
    """

    name: str
    read: Callable[[], bytes]


def find_photos(places: Sequence[str], timeout: float) -> list[Photo]:
    """The photos at some places, in their order, those of a folder by name.

    Args:
        places: Paths of files or folders, http(s) URLs, or "-" for standard input.
        timeout: Seconds that a URL may take.

    Raises:
        OSError: A place that does not exist, or a folder without photos; before any photo is read.
    """
    found: list[Photo] = []
    for place in places:
        if place == STANDARD_INPUT:
            found.append(Photo("standard input", sys.stdin.buffer.read))
        elif place.startswith(("http://", "https://")):
            found.append(Photo(place, functools.partial(_download, place, timeout)))
        elif os.path.isdir(place):
            found += [_file(path) for path in _in_folder(pathlib.Path(place))]
        elif os.path.exists(place):
            found.append(_file(pathlib.Path(place)))
        else:
            raise FileNotFoundError(f"{place} does not exist")
    return found


def _file(path: pathlib.Path) -> Photo:
    return Photo(str(path), path.read_bytes)


def _in_folder(folder: pathlib.Path) -> list[pathlib.Path]:
    from components.photo_folder.scan import IMAGE_SUFFIXES

    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    if not found:
        suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
        raise FileNotFoundError(f"{folder} has no photo ({suffixes}), nor has a folder in it")
    return found


def _download(url: str, timeout: float) -> bytes:
    import httpx

    try:
        with httpx.stream("GET", url, timeout=timeout, follow_redirects=True) as response:
            if not response.is_success:
                raise OSError(f"{url} answers with HTTP status {response.status_code}")
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise OSError(f"{url} has more than {_MOST_BYTES // 1_000_000} MB")
            return bytes(content)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(f"{url} cannot be read: {error or type(error).__name__}") from error
