"""Changes of the gallery without training that bring something in: add, restore, rebuild.

Each checks what it is asked for before anything is changed, writes the ledger, makes a new index
and pushes it. If that fails, the served version stays, and the ledger is as it was. What is taken
out is the business of `gallery_removal.py`.
"""

from __future__ import annotations

import collections
from collections.abc import Collection, Sequence

from rich.markup import escape

from components.gallery_edit import ledger as gallery_ledger
from components.gallery_edit import photo_store
from components.gallery_edit.ledger import NAMED, Added, GalleryError, Ledger, named, timestamp
from components.gallery_edit.new_photos import NewPhoto
from pipeline.index_runner import Indexed, Workplace
from pipeline.settings import Settings


def add(place: Workplace, photos: Sequence[NewPhoto], *, skip_bad: bool = False) -> Indexed | None:
    """Adds photos to the gallery.

    Args:
        place: Where.
        photos: What `find_photos` has found. Those that were removed once are left out.
        skip_bad: Leave out photos that cannot be decoded, in place of refusing all.

    Returns:
        The new index, or None if all of them are served already.

    Raises:
        GalleryError: A photo that cannot be decoded, an id that another image has, or nothing left
            to add.
        RunFailedError: The pipeline failed; nothing was changed.
    """
    ledger, served = place.ledger(), place.served_images()
    gone = [photo.identity for photo in photos if photo.identity in ledger.removed]
    if gone:
        place.console.print(
            f"left out, since they were removed (flowersim index restore allows them again): "
            f"{escape(named(gone))}",
            soft_wrap=True,
        )
    wanted = _decodable(place, [p for p in photos if p.identity not in gone], skip_bad)
    if not wanted:
        raise GalleryError("no photo is left to add")
    mine = {photo.identity for photo in ledger.added}
    if taken := [p.identity for p in wanted if p.identity in served and p.identity not in mine]:
        raise GalleryError(
            f"the gallery has other images with these ids: {named(taken)}; give the photos others "
            "with --prefix"
        )
    now = timestamp()
    entries = []
    try:
        for photo in wanted:
            content = photo.path.read_bytes()
            stored = photo_store.store(place.ledger_folder, content, photo.path.suffix)
            entries.append(Added(photo.identity, photo.class_name, stored, now))
        changed = ledger.adding(entries)
    except BaseException:
        photo_store.sweep(place.ledger_folder, ledger)
        raise
    if changed == ledger and all(entry.identity in served for entry in entries):
        place.console.print("nothing to do: the gallery has these photos already")
        return None
    indexed = _replace_ledger(place, ledger, changed)
    classes = collections.Counter(entry.class_name for entry in entries)
    seen = {*served.values()}
    place.console.print(
        f"added {_photos(len(entries))}: "
        + escape(
            ", ".join(
                f"{count} of {name}" + ("" if name in seen else " (a class new to the gallery)")
                for name, count in sorted(classes.items())
            )
        ),
        soft_wrap=True,
    )
    return place.tell(indexed)


def restore(place: Workplace, ids: Collection[str]) -> Indexed:
    """Allows ids again that were removed; images of the dataset come back at once.

    Raises:
        GalleryError: An id that was not removed.
        RunFailedError: The pipeline failed; nothing was changed.
    """
    ledger = place.ledger()
    indexed = _replace_ledger(place, ledger, ledger.restoring(ids))
    served = place.served_images(int(indexed.path.rpartition("/")[2]))
    if absent := [identity for identity in ids if identity not in served]:
        place.console.print(
            f"may be added again, since the dataset does not have them: {escape(named(absent))}",
            soft_wrap=True,
        )
    return place.tell(indexed)


def rebuild(place: Workplace, settings: Settings) -> Indexed:
    """Makes the gallery as settings say, embedded anew, with all that was added and removed.

    Raises:
        PrepareError: The dataset cannot be brought in.
        RunFailedError: The pipeline failed; nothing was changed.
    """
    from pipeline.saved_settings import save_settings

    indexed = place.index_anew(settings)
    save_settings(place.root, settings)
    return place.tell(indexed)


def _replace_ledger(place: Workplace, before: Ledger, after: Ledger) -> Indexed:
    """Writes a ledger and pushes an index of it; where that fails, the ledger is as it was."""
    from components.pusher.versions import newest_digest

    served = newest_digest(str(place.serving))
    gallery_ledger.write(place.ledger_folder, after)
    try:
        return place.index_served()
    except BaseException:
        if newest_digest(str(place.serving)) == served:
            gallery_ledger.write(place.ledger_folder, before)
            photo_store.sweep(place.ledger_folder, before)
        raise


def _decodable(place: Workplace, photos: Sequence[NewPhoto], skip_bad: bool) -> list[NewPhoto]:
    """The photos that the model can read."""
    from components.tfds_example_gen.inspection import Inspector

    inspector = Inspector(place.served.canonical_size)
    faults = [inspector.fault(photo.path.read_bytes()) for photo in photos]
    bad = [f"{photo.path}: {fault}" for photo, fault in zip(photos, faults, strict=True) if fault]
    if bad:
        lines = "\n  ".join(bad[:NAMED]) + (f"\n  and {len(bad) - NAMED} more" * (len(bad) > NAMED))
        if not skip_bad:
            raise GalleryError(
                f"{_photos(len(bad))} cannot be decoded; mend or remove them, or leave them out "
                f"with --skip-bad:\n  {lines}"
            )
        place.console.print(escape(f"left out:\n  {lines}"), soft_wrap=True)
    return [photo for photo, fault in zip(photos, faults, strict=True) if not fault]


def _photos(count: int) -> str:
    return "1 photo" if count == 1 else f"{count} photos"
