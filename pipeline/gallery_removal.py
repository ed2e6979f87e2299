"""Takes images out of the gallery, for good, and deletes what still holds them.

A removal is written to the ledger first and holds in any case, from the next index or run on, also
if the index that is made at once fails: nobody's photo comes back because a disk was full.
"""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterator

from rich.markup import escape

from components.gallery_edit import ledger as gallery_ledger
from components.gallery_edit import photo_store
from components.gallery_edit.ledger import GalleryError, Ledger, named, timestamp
from pipeline.index_runner import Indexed, Workplace
from pipeline.run_failure import RunFailedError


def remove(place: Workplace, ids: Collection[str], *, hint: bool = True) -> Indexed | None:
    """Removes images from the gallery, for good: added photos are deleted.

    Args:
        place: Where.
        ids: Of images of the dataset, or of photos that were added.
        hint: Name the earlier versions that still hold them.

    Returns:
        The new index, or None if none of them is served any more.

    Raises:
        GalleryError: An id that no version has, or nothing would be left.
        RunFailedError: The pipeline failed. The ids are removed from the next index on all the
            same.
    """
    ledger, served = place.ledger(), place.served_images()
    added = {photo.identity for photo in ledger.added}
    unknown = [i for i in dict.fromkeys(ids) if i not in {*served, *added, *ledger.removed}]
    for _, held in _earlier(place) if unknown else ():
        unknown = [identity for identity in unknown if identity not in held]
    if unknown:
        raise GalleryError(
            f"not in the gallery: {named(unknown)}; flowersim index list shows what is"
        )
    changed = ledger.removing(ids, timestamp())
    if not ({*served, *added} - {*changed.removed}):
        raise GalleryError("that would remove every image of the gallery, and nothing be served")
    for line in _copies(place, ids, ledger):
        place.console.print(escape(line), soft_wrap=True)
    if changed == ledger and not {*served} & {*ids}:
        place.console.print("nothing to do: they are removed already")
        return None
    gallery_ledger.write(place.ledger_folder, changed)
    photo_store.sweep(place.ledger_folder, changed)
    try:
        indexed = place.index_served()
    except (RunFailedError, GalleryError) as error:
        raise RunFailedError(
            f"{error}\nthe removal is written down and holds from the next index or run on; until "
            "then the served model still finds what was to be removed"
        ) from error
    place.console.print(f"removed {escape(named([*ids]))}", soft_wrap=True)
    place.tell(indexed)
    holding = [str(version) for version, held in _earlier(place) if {*held} & {*changed.removed}]
    if hint and holding:
        place.console.print(
            f"earlier versions still hold what was removed: {', '.join(holding)}; "
            "flowersim index purge deletes them",
            soft_wrap=True,
        )
    return indexed


def purge(place: Workplace) -> None:
    """Deletes earlier versions and artifacts of indexing that hold what was removed.

    Raises:
        GalleryError: What is served holds some of it; nothing was deleted.
    """
    from pipeline.purge import purge as delete

    deleted = delete(place.root, str(place.serving), place.ledger().removed)
    place.console.print(
        f"deleted versions: {', '.join(map(str, deleted.versions)) or 'none'}; "
        f"artifacts of indexing: {len(deleted.artifacts)}",
        soft_wrap=True,
    )
    if deleted.unknown:
        place.console.print(
            "left alone, since they are no similarity models: "
            + ", ".join(map(str, deleted.unknown)),
            soft_wrap=True,
        )


def _earlier(place: Workplace) -> Iterator[tuple[int, dict[str, str]]]:
    """The versions before the newest that are similarity models, with their images."""
    from components.pusher.versions import complete_versions

    for version in complete_versions(str(place.serving))[:-1]:
        try:
            yield version, place.served_images(version)
        except GalleryError:
            continue


def _copies(place: Workplace, ids: Collection[str], ledger: Ledger) -> Iterator[str]:
    """Says which other images are the same photo, byte for byte, and stay."""
    from components.tfds_example_gen import report

    found = report.read(place.served.sources.examples).duplicates
    groups = [[image["id"] for image in group["images"]] for group in found]
    by_photo = collections.defaultdict(list)
    for photo in ledger.added:
        by_photo[photo.photo].append(photo.identity)
    for group in (*groups, *by_photo.values()):
        if {*group} & {*ids} and (stay := [i for i in group if i not in {*ids, *ledger.removed}]):
            yield f"the same photo under other ids, which stay: {named(stay)}"
