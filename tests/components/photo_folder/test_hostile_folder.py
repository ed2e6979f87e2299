"""Folders of photos that others made: names that are more than names, files that are none."""

from __future__ import annotations

import os
import pathlib

import pytest

from components.gallery_edit.ledger import GalleryError
from components.gallery_edit.new_photos import find_photos
from components.photo_folder.scan import PhotoFolderError, scan


@pytest.fixture
def photos(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder of two classes."""
    folder = tmp_path / "photos"
    for name in ("rose/1.jpg", "iris/2.jpg"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.mark.parametrize(
    "character", ["\n", "\r", "\t", "\x1b", "\x7f", "\x9b", "\u2028", "\u202e", "\u2066"]
)
@pytest.mark.parametrize("name", ["rose/a{}b.jpg", "ro{}se/1.jpg", "rose/de{}ep/1.jpg"])
def test_control_characters_are_refused(photos: pathlib.Path, name: str, character: str):
    path = photos / name.format(character)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(PhotoFolderError, match="has control characters: rename it") as caught:
        scan(photos)
    assert character not in str(caught.value)
    with pytest.raises(GalleryError, match="has control characters"):
        find_photos([photos])
    # The id of a single photo has none of the folders above it.
    if character in path.name:
        with pytest.raises(GalleryError, match="has control characters"):
            find_photos([path], class_name="rose")
    else:
        assert [photo.identity for photo in find_photos([path], class_name="rose")] == [
            "rose/1.jpg"
        ]


def test_folders_above_are_named_as_anybody_likes(tmp_path: pathlib.Path):
    folder = tmp_path / "a\tb"
    for name in ("fern", "rose"):
        (folder / name).mkdir(parents=True)
        (folder / name / "1.jpg").touch()
    assert [photo.relative for photo in scan(folder)] == ["fern/1.jpg", "rose/1.jpg"]


def test_options_are_held_to_the_same(photos: pathlib.Path):
    with pytest.raises(GalleryError, match=r"--class 'rose\\nfern' has control characters"):
        find_photos([photos], class_name="rose\nfern")
    with pytest.raises(GalleryError, match=r"--prefix 'a\\tb' has control characters"):
        find_photos([photos], prefix="a\tb")


@pytest.mark.parametrize(
    "name", ["[bold].jpg", "$(id).jpg", "`id`.jpg", "-rf.jpg", "=1+1.jpg", "%2e%2e.jpg", "<b>.jpg"]
)
def test_any_other_name_is_only_a_name(photos: pathlib.Path, name: str):
    (photos / "rose" / name).touch()
    assert f"rose/{name}" in [photo.relative for photo in scan(photos)]


@pytest.mark.parametrize("class_name", ["%2e%2e", "~", "C:\\x", "a..", "-"])
def test_no_class_leads_out_of_the_folder(photos: pathlib.Path, class_name: str):
    (photos / class_name).mkdir()
    (photos / class_name / "1.jpg").touch()
    found = {photo.class_name: photo.path for photo in scan(photos)}
    assert pathlib.Path(found[class_name]).is_relative_to(photos)


def test_pipes_devices_and_broken_links_are_refused(photos: pathlib.Path):
    path = photos / "rose" / "0.jpg"
    os.mkfifo(path)
    with pytest.raises(PhotoFolderError, match="0.jpg is no file but a link"):
        scan(photos)
    path.unlink()
    for target in ("/dev/zero", "/nowhere"):
        path.symlink_to(target)
        with pytest.raises(PhotoFolderError, match="0.jpg is no file but a link"):
            scan(photos)
        path.unlink()


def test_links_to_files_are_followed_and_links_to_folders_are_not(photos: pathlib.Path):
    outside = photos.parent / "outside"
    (outside / "deep").mkdir(parents=True)
    for name in ("3.jpg", "deep/4.jpg"):
        (outside / name).touch()
    (photos / "rose" / "3.jpg").symlink_to(outside / "3.jpg")
    (photos / "rose" / "all").symlink_to(outside)
    (photos / "lily").symlink_to(outside)
    (photos / "rose" / "again").symlink_to(photos)  # would never end
    assert [photo.relative for photo in scan(photos)] == ["iris/2.jpg", "rose/1.jpg", "rose/3.jpg"]
