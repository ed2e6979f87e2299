"""The ledger: what was added to a gallery by hand, and which ids may not be found in it.

`ledger.json` in a folder of its own, one line for each photo, so that a person can read it; beside
it the added photos (`photo_store.py`). It says what the gallery shall be, whatever model embeds
it: every index is made with it, by `flowersim index` and by `flowersim run`, and, from a copy in a
bucket, by a cluster. Reads and writes files only; how images are found, checked and embedded is not
its business.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import hashlib
import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from trainer_module import storage

FILE = "ledger.json"

# Of a list in a message.
NAMED = 10


class GalleryError(ValueError):
    """A change of a gallery that cannot be made, or a ledger that cannot be read."""


@dataclasses.dataclass(frozen=True, order=True)
class Added:
    """A photo that was added.

    Attributes:
        identity: Its id.
        class_name: What it shows.
        photo: Its file among the stored photos, `SHA256.SUFFIX`.
        when: Local time, in ISO format.
    """

    identity: str
    class_name: str
    photo: str
    when: str = dataclasses.field(default="", compare=False)


@dataclasses.dataclass(frozen=True)
class Ledger:
    """What a gallery has beside the images of the dataset, and what it may not have.

    Attributes:
        added: Photos, sorted by id; ids are unique and none is removed.
        removed: When each id was removed, by id. It stays here until it is restored, so that
            nothing brings it back: no retraining, and no second look at a folder that still has it.
    """

    added: tuple[Added, ...] = ()
    removed: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return bool(self.added or self.removed)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that depend on what it says, not on when; empty if nothing."""
        if not self:
            return ""
        said = [[a.identity, a.class_name, a.photo] for a in self.added], sorted(self.removed)
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]

    def adding(self, photos: Iterable[Added]) -> Ledger:
        """Returns it with more photos.

        Photos that it has already, with this content and class, stay as they are.

        Raises:
            GalleryError: An id that is removed, or that another photo has.
        """
        known = {photo.identity: photo for photo in self.added}
        for photo in photos:
            if photo.identity in self.removed:
                raise GalleryError(
                    f"{photo.identity} was removed on {self.removed[photo.identity]}; "
                    "flowersim index restore allows it again"
                )
            other = known.setdefault(photo.identity, photo)
            if other != photo:
                raise GalleryError(
                    f"the gallery has another photo with the id {photo.identity} "
                    f"(class {other.class_name}); remove that one first, or give this one another "
                    "id with --prefix"
                )
        return dataclasses.replace(self, added=tuple(sorted(known.values())))

    def removing(self, ids: Iterable[str], when: str) -> Ledger:
        """Returns it with ids removed; those that were removed before keep their date."""
        removed = {**dict.fromkeys(ids, when), **self.removed}
        return Ledger(
            tuple(photo for photo in self.added if photo.identity not in removed),
            dict(sorted(removed.items())),
        )

    def restoring(self, ids: Collection[str]) -> Ledger:
        """Returns it without the removal of ids.

        Raises:
            GalleryError: An id that is not removed.
        """
        if unknown := [identity for identity in ids if identity not in self.removed]:
            raise GalleryError(f"not removed, so there is nothing to restore: {', '.join(unknown)}")
        left = {identity: when for identity, when in self.removed.items() if identity not in ids}
        return dataclasses.replace(self, removed=left)


def read(folder: str | os.PathLike[str]) -> Ledger:
    """Reads the ledger of a folder, local or in a bucket; an empty one if there is no such file.

    Raises:
        GalleryError: The file is not as `write` makes it; the message names the place.
    """
    path = os.path.join(folder, FILE)
    try:
        content = json.loads(storage.read(path).decode("utf-8"))
    except FileNotFoundError:
        return Ledger()
    except ValueError as error:
        raise GalleryError(f"{path} is no JSON in UTF-8: {error}") from error
    if not isinstance(content, dict) or set(content) != {"added", "removed"}:
        raise GalleryError(f"{path} must hold two lists, added and removed")
    added = [
        Added(*_texts(path, f"added[{i}]", item, ("id", "class_name", "photo", "when")))
        for i, item in enumerate(_list(path, "added", content["added"]))
    ]
    removed = dict(
        _texts(path, f"removed[{i}]", item, ("id", "when"))
        for i, item in enumerate(_list(path, "removed", content["removed"]))
    )
    for name, count in collections.Counter(photo.identity for photo in added).items():
        if count > 1 or name in removed:
            other = "removed too" if name in removed else "added twice"
            raise GalleryError(f"{path}: {name} is {other}")
    return Ledger(tuple(sorted(added)), removed)


def write(folder: str | os.PathLike[str], ledger: Ledger) -> None:
    """Writes the ledger, whole or not at all; the folder is made if it does not exist."""

    def lines(items: list[dict[str, str]]) -> str:
        rows = ",\n".join("  " + json.dumps(item, ensure_ascii=False) for item in items)
        return f"[\n{rows}\n ]" if rows else "[]"

    added = [
        {"id": a.identity, "class_name": a.class_name, "photo": a.photo, "when": a.when}
        for a in ledger.added
    ]
    removed = [{"id": identity, "when": when} for identity, when in ledger.removed.items()]
    content = f'{{\n "added": {lines(added)},\n "removed": {lines(removed)}\n}}\n'
    storage.write(os.path.join(folder, FILE), content.encode("utf-8"))


def named(ids: Sequence[str]) -> str:
    """The first of many ids, for a message."""
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return ", ".join(ids[:NAMED]) + more


def timestamp() -> str:
    """The time that a change is dated with."""
    return f"{datetime.datetime.now():%Y-%m-%dT%H:%M:%S}"


def _list(path: str, name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise GalleryError(f"{path}: {name} must be a list")
    return value


def _texts(path: str, place: str, item: Any, names: tuple[str, ...]) -> list[str]:
    """The texts of an item, in the order of `names`."""
    if not isinstance(item, dict) or set(item) != set(names):
        raise GalleryError(f"{path}: {place} must have {', '.join(names)}, and nothing else")
    for name in names:
        if not isinstance(item[name], str):
            raise GalleryError(f"{path}: {name} of {place} must be text")
    return [item[name] for name in names]
