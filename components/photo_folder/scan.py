"""Finds the photos in a folder and tells their class and split from the layout.

Reads names only; no image is opened here. How photos without a split are divided is the
business of `division.py`.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib

from components.example_schema.names import has_control_characters

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".bmp"})

# People name the same three splits differently.
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}


class PhotoFolderError(ValueError):
    """A folder that no dataset can be made of; the message names it and says why."""


@dataclasses.dataclass(frozen=True, order=True)
class Photo:
    """One photo file.

    Attributes:
        path: Absolute path.
        relative: Path below the scanned folder with forward slashes; unique, used as id.
        class_name: Folder below the split (or the scanned folder) that holds it.
        split: `train`, `validation`, `test`, or None where the layout does not say.
    """

    path: str
    relative: str
    class_name: str
    split: str | None


def scan(folder: str | os.PathLike[str]) -> list[Photo]:
    """Lists the photos below `folder`, sorted by path.

    Args:
        folder: `CLASS/**/photo.jpg` or `SPLIT/CLASS/**/photo.jpg`. Files with another suffix,
            hidden files, and files outside a class folder are passed over. Links to files are
            followed, wherever these are; links to folders are not.

    Returns:
        The photos, at least two classes of them.

    Raises:
        PhotoFolderError: No such folder, no image in it, one class only, a name that is not UTF-8
            or has control characters, or what is no file.
    """
    root = pathlib.Path(folder).expanduser().resolve()
    photos, _ = list_photos(root)
    if not photos:
        raise PhotoFolderError(
            f"{root} holds no images in class folders; expected CLASS/photo.jpg or "
            f"SPLIT/CLASS/photo.jpg with suffix {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    classes = sorted({photo.class_name for photo in photos})
    if len(classes) < 2:
        raise PhotoFolderError(
            f"{root} holds one class only ({classes[0]}); similarity needs at least two"
        )
    return photos


def list_photos(folder: str | os.PathLike[str]) -> tuple[list[Photo], list[str]]:
    """Lists whatever photos there are below `folder`, sorted by path.

    Args:
        folder: Laid out as for `scan`.

    Returns:
        The photos in class folders, and the paths of those outside one.

    Raises:
        PhotoFolderError: No such folder, a name that is not UTF-8 or has control characters, or
            what is no file.
    """
    root = pathlib.Path(folder).expanduser().resolve()
    if not root.is_dir():
        raise PhotoFolderError(f"{root} is not a folder")
    subfolders = [p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")]
    has_splits = bool(subfolders) and all(p.name.lower() in SPLIT_NAMES for p in subfolders)
    photos, loose = [], []
    for directory, names, files in os.walk(root):
        names[:] = sorted(n for n in names if not n.startswith("."))
        for file in sorted(files):
            path = pathlib.Path(directory) / file
            if file.startswith(".") or path.suffix.lower() not in IMAGE_SUFFIXES:
                continue
            relative = path.relative_to(root)
            check_name(path, relative)
            if not path.is_file():
                # Reading a pipe would never end, nor would a device of zeros.
                raise PhotoFolderError(
                    f"{path} is no file but a link that leads nowhere, a pipe or a device: "
                    "remove it"
                )
            split = SPLIT_NAMES[relative.parts[0].lower()] if has_splits else None
            inner = relative.parts[1:] if has_splits else relative.parts
            if len(inner) < 2:
                loose.append(str(path))
                continue
            photos.append(Photo(str(path), relative.as_posix(), inner[0], split))
    return sorted(photos, key=lambda photo: photo.relative), loose


def check_name(path: pathlib.Path, relative: pathlib.PurePath) -> None:
    """Refuses names that could be neither a class name nor an id.

    Those are in another encoding, or have control characters, such as the end of a line.

    Args:
        path: Of a photo.
        relative: The part of it of which an id is made.
    """
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise PhotoFolderError(f"the name {os.fsencode(path)!r} is not UTF-8: rename it") from None
    if has_control_characters(str(relative)):
        raise PhotoFolderError(f"the name {str(path)!r} has control characters: rename it")
