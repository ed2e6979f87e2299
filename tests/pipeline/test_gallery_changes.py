"""What may be added to a gallery and removed from it, and what is left of changes that fail.

The pipeline is replaced by one that pushes versions holding ids only: what is tested is what is
decided before and after it.
"""

from __future__ import annotations

import dataclasses
import io
import json
import pathlib
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from components.gallery_edit.ledger import GalleryError
from components.gallery_edit.new_photos import NewPhoto
from components.pusher import versions
from components.tfds_example_gen import report
from pipeline.gallery_changes import add, restore
from pipeline.gallery_removal import remove
from pipeline.index_runner import Indexed, Workplace
from pipeline.local_runner import RunFailedError

DATASET = {"roses/1.jpg": "rose", "roses/2.jpg": "rose", "lilies/1.jpg": "lily"}


@dataclasses.dataclass(frozen=True)
class Place(Workplace):
    """A workdir whose versions hold what they can find as text."""

    fails: list[Exception] = dataclasses.field(default_factory=list)

    def push(self, images: dict[str, str]) -> str:
        folder = self.root / "model"
        folder.mkdir(exist_ok=True)
        (folder / "saved_model.pb").write_text(json.dumps(images))
        return versions.publish(str(folder), str(self.serving)).path

    def served_images(self, version: int | None = None) -> dict[str, str]:
        version = version or versions.complete_versions(str(self.serving))[-1]
        return json.loads((self.serving / str(version) / "saved_model.pb").read_text())

    def index_served(self) -> Indexed:
        if self.fails:
            raise self.fails.pop()
        ledger = self.ledger()
        images = DATASET | {photo.identity: photo.class_name for photo in ledger.added}
        left = {i: name for i, name in images.items() if i not in ledger.removed}
        return Indexed(self.push(left), len(left))

    @property
    def said(self) -> str:
        assert isinstance(self.console.file, io.StringIO)
        return self.console.file.getvalue()

    @property
    def photos_kept(self) -> int:
        return len(list((self.ledger_folder / "photos").glob("*")))


@pytest.fixture
def place(tmp_path: pathlib.Path) -> Place:
    examples = tmp_path / "examples"
    examples.mkdir()
    copies = [{"id": name} for name in ("roses/2.jpg", "lilies/1.jpg")]
    report.write(report.Report({}, [], [{"images": copies, "dropped": []}]), str(examples))
    served: Any = SimpleNamespace(
        canonical_size=32, sources=SimpleNamespace(examples=str(examples))
    )
    console = Console(file=io.StringIO(), width=200)
    log = tmp_path / "log"
    place = Place(tmp_path, tmp_path / "serving", served, console, log, metadata=None, store=None)
    place.push(DATASET)
    return place


@pytest.fixture
def photos(tmp_path: pathlib.Path, make_photo: Callable[..., bytes]) -> list[NewPhoto]:
    found = []
    for index, name in enumerate(("rose/new.jpg", "fern/1.jpg")):
        path = tmp_path / "photos to add" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(make_photo(index))
        found.append(NewPhoto(path, name, name.split("/")[0]))
    return found


def test_photos_are_added_and_told_by_class(place: Place, photos: Sequence[NewPhoto]) -> None:
    indexed = add(place, photos)
    assert indexed is not None and indexed.gallery_size == 5
    assert place.served_images() == DATASET | {"rose/new.jpg": "rose", "fern/1.jpg": "fern"}
    assert "added 2 photos: 1 of fern (a class new to the gallery), 1 of rose\n" in place.said
    assert f"pushed to {indexed.path}\n" in place.said
    # The originals may go.
    assert place.photos_kept == 2


def test_the_same_again_does_nothing(place: Place, photos: Sequence[NewPhoto]) -> None:
    add(place, photos)
    before = versions.complete_versions(str(place.serving))
    assert add(place, photos) is None
    assert versions.complete_versions(str(place.serving)) == before
    assert "the gallery has these photos already" in place.said


def test_an_add_that_was_killed_goes_on(place: Place, photos: Sequence[NewPhoto]) -> None:
    """The ledger has the photos, and what is served has not."""
    add(place, photos)
    place.push(DATASET)
    indexed = add(place, photos)
    assert indexed is not None and "fern/1.jpg" in place.served_images()


@pytest.mark.parametrize("failure", [RunFailedError("x"), KeyboardInterrupt()])
def test_an_add_that_fails_leaves_nothing(
    place: Place, photos: Sequence[NewPhoto], failure: Any
) -> None:
    add(place, photos[:1])
    ledger, served = place.ledger(), place.served_images()
    place.fails.append(failure)
    with pytest.raises(type(failure)):
        add(place, photos[1:])
    assert (place.ledger(), place.served_images()) == (ledger, served)
    assert place.photos_kept == 1


def test_an_add_that_fails_after_its_push_stays(
    place: Place, photos: Sequence[NewPhoto], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Place.index_served

    def index_and_fail(self: Place) -> Indexed:
        real(self)
        raise OSError("the terminal is gone")

    monkeypatch.setattr(Place, "index_served", index_and_fail)
    with pytest.raises(OSError):
        add(place, photos)
    assert {photo.identity for photo in place.ledger().added} < set(place.served_images())


def test_a_photo_that_cannot_be_decoded_is_named_and_nothing_is_added(
    place: Place, photos: list[NewPhoto]
) -> None:
    bad = [photos[0].path.with_name(name) for name in ("cut.jpg", "text.jpg")]
    bad[0].write_bytes(photos[0].path.read_bytes()[:200])
    bad[1].write_bytes(b"hello")
    photos += [NewPhoto(path, f"rose/{path.name}", "rose") for path in bad]
    with pytest.raises(GalleryError, match="2 photos cannot be decoded; .*--skip-bad") as raised:
        add(place, photos)
    assert f"{bad[0]}: a JPEG that is damaged or cut short" in str(raised.value)
    assert f"{bad[1]}: not an image in JPEG, PNG" in str(raised.value)
    assert place.served_images() == DATASET and not place.ledger() and not place.photos_kept
    add(place, photos, skip_bad=True)
    assert set(place.served_images()) == {*DATASET, "rose/new.jpg", "fern/1.jpg"}
    with pytest.raises(GalleryError, match="no photo is left to add"):
        add(place, photos[2:], skip_bad=True)


def test_ids_of_other_images_are_refused(place: Place, photos: list[NewPhoto]) -> None:
    with pytest.raises(GalleryError, match=r"other images with these ids: roses/1\.jpg; .*--pre"):
        add(place, [photos[0]._replace(identity="roses/1.jpg")])
    add(place, photos[:1])
    photos[0].path.write_bytes(photos[1].path.read_bytes())
    with pytest.raises(GalleryError, match=r"another photo with the id rose/new\.jpg"):
        add(place, photos)
    assert place.photos_kept == 1 and len(place.ledger().added) == 1


def test_what_was_removed_does_not_come_back_with_its_folder(
    place: Place, photos: Sequence[NewPhoto]
) -> None:
    add(place, photos[:1])
    remove(place, ["rose/new.jpg"])
    assert place.photos_kept == 0
    add(place, photos)
    assert "left out, since they were removed" in place.said and "rose/new.jpg" in place.said
    assert set(place.served_images()) == {*DATASET, "fern/1.jpg"}
    with pytest.raises(GalleryError, match="no photo is left to add"):
        add(place, photos[:1])
    restore(place, ["rose/new.jpg"])
    assert "may be added again, since the dataset does not have them: rose/new.jpg" in place.said
    add(place, photos)
    assert set(place.served_images()) == {*DATASET, "fern/1.jpg", "rose/new.jpg"}


def test_images_of_the_dataset_are_removed_and_restored(place: Place) -> None:
    remove(place, ["roses/2.jpg", "roses/2.jpg"])
    assert set(place.served_images()) == {"roses/1.jpg", "lilies/1.jpg"}
    assert "the same photo under other ids, which stay: lilies/1.jpg\n" in place.said
    first = versions.complete_versions(str(place.serving))[0]
    assert f"earlier versions still hold what was removed: {first}; flowersim index purg" in (
        place.said
    )
    assert remove(place, ["roses/2.jpg"]) is None
    assert "nothing to do: they are removed already" in place.said
    restore(place, ["roses/2.jpg"])
    assert place.served_images() == DATASET
    with pytest.raises(GalleryError, match=r"nothing to restore: roses/2\.jpg"):
        restore(place, ["roses/2.jpg"])


def test_unknown_ids_are_named_and_nothing_is_removed(place: Place) -> None:
    with pytest.raises(GalleryError, match=r"not in the gallery: a, b; flowersim index list"):
        remove(place, ["a", "roses/1.jpg", "b"])
    assert place.served_images() == DATASET and not place.ledger()
    many = [f"no {i}" for i in range(12)]
    with pytest.raises(GalleryError, match="no 9 and 2 more"):
        remove(place, many)


def test_an_id_that_only_an_earlier_version_has_is_known(place: Place) -> None:
    place.push(DATASET | {"gone/1.jpg": "gone"})
    place.push(DATASET)
    remove(place, ["gone/1.jpg"])
    assert "gone/1.jpg" in place.ledger().removed


def test_an_empty_gallery_is_refused(place: Place, photos: Sequence[NewPhoto]) -> None:
    with pytest.raises(GalleryError, match="would remove every image of the gallery"):
        remove(place, list(DATASET))
    add(place, photos[:1])
    remove(place, list(DATASET))
    assert set(place.served_images()) == {"rose/new.jpg"}
    with pytest.raises(GalleryError, match="would remove every image of the gallery"):
        remove(place, ["rose/new.jpg"])
    assert place.served_images() == {"rose/new.jpg": "rose"}


def test_a_removal_holds_although_its_index_fails(place: Place, photos: Sequence[NewPhoto]) -> None:
    add(place, photos)
    place.fails.append(RunFailedError("SimilarityIndexer failed: the disk is full"))
    with pytest.raises(RunFailedError, match="disk is full\nthe removal is written down and holds"):
        remove(place, ["fern/1.jpg"])
    assert "fern/1.jpg" in place.served_images()
    assert "fern/1.jpg" in place.ledger().removed and place.photos_kept == 1
    # Whatever is indexed next, here the same command, follows it.
    remove(place, ["fern/1.jpg"])
    assert "fern/1.jpg" not in place.served_images()
