"""The added photos beside a ledger: stored by content, and gone when the ledger has none of them.

Originals may be moved or deleted; a retrained model embeds these. Not for what is decodable: bytes
are kept as they come.
"""

from __future__ import annotations

import hashlib
import os

from components.gallery_edit.ledger import Added, GalleryError, Ledger
from trainer_module import storage

FOLDER = "photos"


def store(folder: str | os.PathLike[str], content: bytes, suffix: str) -> str:
    """Keeps a photo, whole or not at all.

    Args:
        folder: That of the ledger, local or in a bucket.
        content: The file, as it is encoded.
        suffix: Of its name, such as `.jpg`.

    Returns:
        The name it is stored by.
    """
    name = f"{hashlib.sha256(content).hexdigest()}{suffix.lower()}"
    path = os.path.join(folder, FOLDER, name)
    if not storage.exists(path):
        storage.write(path, content)
    return name


def load(folder: str | os.PathLike[str], photo: Added) -> bytes:
    """Returns an added photo.

    Raises:
        GalleryError: Its file is gone, or is not what was stored.
    """
    path = os.path.join(folder, FOLDER, photo.photo)
    try:
        content = storage.read(path)
    except OSError as error:
        raise GalleryError(
            f"{path}, the photo {photo.identity} of the gallery, cannot be read "
            f"({error.strerror}); put it back, or flowersim index remove it"
        ) from error
    if hashlib.sha256(content).hexdigest() != os.path.splitext(photo.photo)[0]:
        raise GalleryError(
            f"{path}, the photo {photo.identity} of the gallery, is not the file that was added; "
            "flowersim index remove it, then add the other one"
        )
    return content


def sweep(folder: str | os.PathLike[str], ledger: Ledger) -> None:
    """Deletes every stored photo that the ledger does not name, also what a killed add has left."""
    kept = {photo.photo for photo in ledger.added}
    place = os.path.join(folder, FOLDER)
    for name in storage.file_names(place):
        if name not in kept:
            storage.remove(os.path.join(place, name))
