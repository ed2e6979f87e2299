"""Finds the photos that shall be added to a gallery, and gives each an id and a class.

Reads names only; whether they can be decoded is somebody else's question.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from typing import NamedTuple

from components.example_schema.names import has_control_characters
from components.gallery_edit.ledger import GalleryError
from components.photo_folder.scan import (
    IMAGE_SUFFIXES,
    PhotoFolderError,
    check_name,
    list_photos,
)


class NewPhoto(NamedTuple):
    """A photo file that shall be added.

    Attributes:
        path: The file.
        identity: Its id in the gallery: `CLASS/…`, with the prefix before it.
        class_name: Its class; any name, also one that no model was trained on.
    """

    path: pathlib.Path
    identity: str
    class_name: str


def find_photos(
    paths: Iterable[pathlib.Path], class_name: str | None = None, prefix: str = ""
) -> list[NewPhoto]:
    """Lists the photos of folders and files.

    Args:
        paths: Folders with a folder for each class, as in `photo_folder/scan.py`; where a class
            name is given also single photos, and folders with photos anywhere below.
        class_name: The class of all of them; None takes it from the folders.
        prefix: Put before each id with a `/`, to tell photos of the same name apart.

    Returns:
        The photos, sorted by id. An id is the photo's path below the folder, beginning with the
        class.

    Raises:
        GalleryError: Nothing there, a photo whose class nobody says, two photos with one id, or a
            name with control characters.
    """
    if class_name is not None and not class_name.strip():
        raise GalleryError("--class needs a name that is not empty")
    for option, name in (("--class", class_name or ""), ("--prefix", prefix)):
        if has_control_characters(name):
            raise GalleryError(f"{option} {name!r} has control characters")
    found: dict[str, NewPhoto] = {}
    for path in paths:
        for photo in _of(path.expanduser(), class_name):
            identity = f"{prefix.strip('/')}/{photo.identity}" if prefix else photo.identity
            other = found.setdefault(identity, photo._replace(identity=identity))
            if other.path != photo.path:
                raise GalleryError(
                    f"{other.path} and {photo.path} would both have the id {identity}; add them "
                    "one after the other, with different --prefix"
                )
    return [found[identity] for identity in sorted(found)]


def _of(path: pathlib.Path, class_name: str | None) -> list[NewPhoto]:
    if path.is_file():
        return [_single(path, class_name)]
    try:
        photos, loose = list_photos(path)
    except PhotoFolderError as error:
        raise GalleryError(str(error)) from error
    if not photos and not loose:
        raise GalleryError(
            f"{path} holds no photos; they end in {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    if class_name is None:
        if loose:
            raise GalleryError(
                f"{loose[0]} is in no class folder: put it into {path}/CLASS, or say with --class "
                f"what all photos of {path} show"
            )
        return [NewPhoto(pathlib.Path(p.path), p.relative, p.class_name) for p in photos]
    root = path.resolve()
    every = [pathlib.Path(name) for name in (*(p.path for p in photos), *loose)]
    return [
        NewPhoto(photo, f"{class_name}/{photo.relative_to(root).as_posix()}", class_name)
        for photo in every
    ]


def _single(path: pathlib.Path, class_name: str | None) -> NewPhoto:
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise GalleryError(f"{path} is no photo: those end in {', '.join(sorted(IMAGE_SUFFIXES))}")
    if class_name is None:
        raise GalleryError(
            f"{path} is a single photo, so say with --class what it shows: any name, also one that "
            "the model was not trained on"
        )
    try:
        check_name(path, pathlib.PurePath(path.name))
    except PhotoFolderError as error:
        raise GalleryError(str(error)) from error
    return NewPhoto(path.resolve(), f"{class_name}/{path.name}", class_name)
