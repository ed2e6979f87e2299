"""Which ids and classes photos get that shall be added, and what is refused."""

from __future__ import annotations

import pathlib

import pytest

from components.gallery_edit.ledger import GalleryError
from components.gallery_edit.new_photos import find_photos


def _touch(root: pathlib.Path, *names: str) -> pathlib.Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def _found(
    paths: list[pathlib.Path], class_name: str | None = None, prefix: str = ""
) -> list[tuple[str, str]]:
    photos = find_photos(paths, class_name, prefix)
    return [(photo.identity, photo.class_name) for photo in photos]


def test_class_folders(tmp_path: pathlib.Path) -> None:
    _touch(tmp_path, "rose/b.jpg", "rose/2023/a.PNG", "iris/x.gif", "rose/notes.txt")
    assert _found([tmp_path]) == [
        ("iris/x.gif", "iris"),
        ("rose/2023/a.PNG", "rose"),
        ("rose/b.jpg", "rose"),
    ]
    for photo in find_photos([tmp_path]):
        assert photo.path == tmp_path.resolve() / photo.identity


def test_one_class_is_enough(tmp_path: pathlib.Path) -> None:
    assert _found([_touch(tmp_path, "rose/b.jpg")]) == [("rose/b.jpg", "rose")]


def test_split_folders_around_the_classes(tmp_path: pathlib.Path) -> None:
    _touch(tmp_path, "train/rose/b.jpg", "test/rose/b.jpg")
    assert _found([tmp_path]) == [("test/rose/b.jpg", "rose"), ("train/rose/b.jpg", "rose")]


def test_a_class_for_all_that_lies_anywhere_below(tmp_path: pathlib.Path) -> None:
    _touch(tmp_path, "b.jpg", "may/a.jpg", "train/x.jpg")
    assert _found([tmp_path], "dog rose") == [
        ("dog rose/b.jpg", "dog rose"),
        ("dog rose/may/a.jpg", "dog rose"),
        ("dog rose/train/x.jpg", "dog rose"),
    ]


def test_single_photos_and_a_prefix(tmp_path: pathlib.Path) -> None:
    _touch(tmp_path, "a/1.jpg", "b/2.JPEG")
    photos = [tmp_path / "a/1.jpg", tmp_path / "b/2.JPEG"]
    assert _found(photos, "rose", "monday/") == [
        ("monday/rose/1.jpg", "rose"),
        ("monday/rose/2.JPEG", "rose"),
    ]


def test_the_same_photo_named_twice_is_one(tmp_path: pathlib.Path) -> None:
    _touch(tmp_path, "rose/1.jpg")
    assert _found([tmp_path, tmp_path]) == [("rose/1.jpg", "rose")]
    assert _found([tmp_path / "rose/1.jpg", tmp_path / "rose"], "rose") == [("rose/1.jpg", "rose")]


@pytest.mark.parametrize(
    ("files", "given", "class_name", "message"),
    [
        ([], "nowhere", None, "nowhere is not a folder"),
        (["empty/notes.txt"], "empty", None, "empty holds no photos; they end in .bmp, .gif, .jp"),
        (["1.jpg", "rose/2.jpg"], ".", None, r"1\.jpg is in no class folder: .* --class"),
        (["1.jpg"], "1.jpg", None, r"1\.jpg is a single photo, so say with --class"),
        (["1.txt"], "1.txt", "rose", r"1\.txt is no photo: those end in"),
        (["1.jpg"], "1.jpg", " ", "--class needs a name that is not empty"),
    ],
)
def test_what_cannot_be_added_is_named(
    tmp_path: pathlib.Path, files: list[str], given: str, class_name: str | None, message: str
) -> None:
    _touch(tmp_path, *files)
    with pytest.raises(GalleryError, match=message):
        find_photos([tmp_path / given], class_name)


def test_two_photos_with_one_id_are_named(tmp_path: pathlib.Path) -> None:
    _touch(tmp_path, "a/rose/1.jpg", "b/rose/1.jpg")
    with pytest.raises(GalleryError, match=r"a/rose/1.jpg and .*b/rose/1.jpg would both have"):
        find_photos([tmp_path / "a", tmp_path / "b"])


def test_a_name_in_another_encoding_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "rose\udcff.jpg"
    path.touch()
    with pytest.raises(GalleryError, match="is not UTF-8"):
        find_photos([path], "rose")
