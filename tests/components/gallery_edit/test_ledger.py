"""The ledger: what it allows, what it keeps, what a person can read and break."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.gallery_edit import ledger, photo_store
from components.gallery_edit.edits import unseen_label
from components.gallery_edit.ledger import Added, GalleryError, Ledger

ROSE = Added("rose/1.jpg", "rose", "aa.jpg", "2026-01-02T03:04:05")
LILY = Added("lily/ü [1].png", "lily", "bb.png", "2026-01-02T03:04:06")
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1)


def test_it_reads_what_it_wrote(tmp_path: pathlib.Path) -> None:
    written = Ledger().adding([ROSE, LILY]).removing(["iris/2.jpg"], "2026-01-03T00:00:00")
    ledger.write(tmp_path / "new", written)
    read = ledger.read(tmp_path / "new")
    assert read == written and [photo.when for photo in read.added] == [LILY.when, ROSE.when]
    assert [path.name for path in (tmp_path / "new").iterdir()] == [ledger.FILE]
    # One line for each photo, in letters that a person knows.
    lines = (tmp_path / "new" / ledger.FILE).read_text("utf-8").splitlines()
    assert sum("lily/ü [1].png" in line and "2026-01-02" in line for line in lines) == 1


def test_where_nothing_was_changed_there_is_an_empty_one(tmp_path: pathlib.Path) -> None:
    empty = ledger.read(tmp_path)
    assert not empty and empty.digest == ""


@given(st.dictionaries(texts, texts, max_size=4), st.dictionaries(texts, texts, max_size=4))
def test_any_text_survives(
    tmp_path_factory: pytest.TempPathFactory, added: dict[str, str], removed: dict[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    photos = [Added(i, name, "x.jpg") for i, name in added.items() if i not in removed]
    written = Ledger(tuple(sorted(photos)), removed)
    ledger.write(folder, written)
    assert ledger.read(folder) == written


def test_the_digest_says_what_and_not_when() -> None:
    def digest(*photos: Added, removed: dict[str, str] | None = None) -> str:
        return Ledger(photos, removed or {}).digest

    later = Added(ROSE.identity, ROSE.class_name, ROSE.photo, "2030-01-01T00:00:00")
    assert digest(ROSE) == digest(later)
    assert digest(removed={"a": "1"}) == digest(removed={"a": "2"})
    different = [
        digest(ROSE),
        digest(ROSE, LILY),
        digest(Added("rose/2.jpg", "rose", "aa.jpg")),
        digest(Added(ROSE.identity, "tulip", "aa.jpg")),
        digest(Added(ROSE.identity, "rose", "cc.jpg")),
        digest(removed={"a": "1"}),
        digest(ROSE, removed={"a": "1"}),
    ]
    assert len(set(different)) == len(different)


def test_adding_again_changes_nothing_and_another_photo_is_refused() -> None:
    once = Ledger().adding([ROSE])
    assert once.adding([Added(ROSE.identity, ROSE.class_name, ROSE.photo, "later")]) == once
    for other in (
        Added(ROSE.identity, "rose", "cc.jpg"),
        Added(ROSE.identity, "tulip", "aa.jpg"),
    ):
        with pytest.raises(GalleryError, match=r"another photo with the id rose/1\.jpg .*--prefix"):
            once.adding([other])


def test_a_removal_stays_until_it_is_taken_back() -> None:
    removed = Ledger().adding([ROSE, LILY]).removing([ROSE.identity, "iris/2.jpg"], "2026-05-01")
    assert removed.added == (LILY,)
    assert removed.removing([ROSE.identity], "2027-01-01") == removed
    with pytest.raises(GalleryError, match=r"rose/1\.jpg was removed on 2026-05-01; .*restore"):
        removed.adding([ROSE])
    restored = removed.restoring([ROSE.identity])
    assert restored.removed == {"iris/2.jpg": "2026-05-01"}
    assert restored.adding([ROSE]).added == (LILY, ROSE)
    with pytest.raises(GalleryError, match="nothing to restore: no/1, no/2"):
        removed.restoring(["iris/2.jpg", "no/1", "no/2"])


def _content(**changes: Any) -> dict[str, Any]:
    photo = {"id": "a", "class_name": "b", "photo": "c.jpg", "when": "d"}
    return {"added": [photo], "removed": [{"id": "e", "when": "f"}], **changes}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON in UTF-8"),
        (b"\xff", "is no JSON in UTF-8"),
        ("[]", "must hold two lists, added and removed"),
        (json.dumps({"added": []}), "must hold two lists, added and removed"),
        (json.dumps(_content(removed={})), "removed must be a list"),
        (json.dumps(_content(removed=["a"])), r"removed\[0\] must have id, when, and nothing else"),
        (
            json.dumps(_content(added=[{"id": "a"}])),
            r"added\[0\] must have id, class_name, photo, when",
        ),
        (json.dumps(_content(removed=[{"id": 1, "when": ""}])), r"id of removed\[0\] must be text"),
        (json.dumps(_content(removed=[{"id": "a", "when": ""}])), "a is removed too"),
        (json.dumps(_content(added=_content()["added"] * 2)), "a is added twice"),
    ],
)
def test_a_ledger_broken_by_hand_is_named_with_the_place(
    tmp_path: pathlib.Path, text: str | bytes, message: str
) -> None:
    path = tmp_path / ledger.FILE
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(GalleryError, match=message) as raised:
        ledger.read(tmp_path)
    assert str(path) in str(raised.value)


def test_photos_are_kept_by_content_and_deleted_with_their_last_entry(
    tmp_path: pathlib.Path,
) -> None:
    one, same, other = (
        photo_store.store(tmp_path, content, suffix)
        for content, suffix in ((b"one", ".JPG"), (b"one", ".jpg"), (b"other", ".png"))
    )
    assert one == same and one.endswith(".jpg") and other.endswith(".png")
    photos = [Added("a", "x", one), Added("b", "x", same), Added("c", "x", other)]
    assert [photo_store.load(tmp_path, photo) for photo in photos] == [b"one", b"one", b"other"]
    (tmp_path / photo_store.FOLDER / ".partial-of-a-killed-add").write_bytes(b"half")
    kept = Ledger(tuple(photos)).removing(["a", "c"], "now")
    photo_store.sweep(tmp_path, kept)
    assert [path.name for path in (tmp_path / photo_store.FOLDER).iterdir()] == [one]
    photo_store.sweep(tmp_path, Ledger())
    assert not list((tmp_path / photo_store.FOLDER).iterdir())
    photo_store.sweep(tmp_path / "nowhere", Ledger())


def test_a_photo_that_is_gone_or_changed_is_named_with_its_id(tmp_path: pathlib.Path) -> None:
    photo = Added("rose/1.jpg", "rose", photo_store.store(tmp_path, b"content", ".jpg"))
    path = tmp_path / photo_store.FOLDER / photo.photo
    path.write_bytes(b"changed")
    with pytest.raises(GalleryError, match=r"rose/1\.jpg of the gallery, is not the file"):
        photo_store.load(tmp_path, photo)
    path.unlink()
    with pytest.raises(GalleryError, match=r"rose/1\.jpg of the gallery, cannot be read \(No such"):
        photo_store.load(tmp_path, photo)


@given(st.lists(texts, unique=True, min_size=2, max_size=20))
def test_labels_of_unseen_classes_are_their_own_and_no_padding(names: list[str]) -> None:
    labels = [unseen_label(name) for name in names]
    assert len(set(labels)) == len(names) and max(labels) < -1 and min(labels) > -(2**33)
    assert labels == [unseen_label(name) for name in names]
