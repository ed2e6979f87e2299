"""The added photos beside a ledger: stored by content, and gone when the ledger has none of them.

Originals may be moved or deleted; a retrained model embeds these. Not for what is decodable: bytes
are kept as they come.
"""

from __future__ import annotations

import hashlib
import os
import pathlib

from components.gallery_edit.ledger import Added, GalleryError, Ledger

FOLDER = "photos"


def store(folder: str | os.PathLike[str], content: bytes, suffix: str) -> str:
    """Keeps a photo, whole or not at all.

    Args:
        folder: That of the ledger.
        content: The file, as it is encoded.
        suffix: Of its name, such as `.jpg`.

    Returns:
        The name it is stored by.
    """
    name = f"{hashlib.sha256(content).hexdigest()}{suffix.lower()}"
    path = pathlib.Path(folder) / FOLDER / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".partial-{name}")
        partial.write_bytes(content)
        partial.replace(path)
    return name


def load(folder: str | os.PathLike[str], photo: Added) -> bytes:
    """Returns an added photo.

    Raises:
        GalleryError: Its file is gone, or is not what was stored.
    """
    path = pathlib.Path(folder) / FOLDER / photo.photo
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GalleryError(
            f"{path}, the photo {photo.identity} of the gallery, cannot be read "
            f"({error.strerror}); put it back, or flowersim index remove it"
        ) from error
    if hashlib.sha256(content).hexdigest() != path.stem:
        raise GalleryError(
            f"{path}, the photo {photo.identity} of the gallery, is not the file that was added; "
            "flowersim index remove it, then add the other one"
        )
    return content


def sweep(folder: str | os.PathLike[str], ledger: Ledger) -> None:
    """Deletes every stored photo that the ledger does not name, also what a killed add has left."""
    kept = {photo.photo for photo in ledger.added}
    place = pathlib.Path(folder) / FOLDER
    for path in place.iterdir() if place.is_dir() else ():
        if path.name not in kept:
            path.unlink()
