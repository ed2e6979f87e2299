"""Which files of a folder are photos, and of which class and split."""

from __future__ import annotations

import os
import pathlib

import pytest

from components.photo_folder.scan import PhotoFolderError, scan


def _touch(root: pathlib.Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _found(root: pathlib.Path) -> list[tuple[str, str, str | None]]:
    return [(photo.relative, photo.class_name, photo.split) for photo in scan(root)]


def test_class_folders(tmp_path: pathlib.Path):
    _touch(tmp_path, "rose/b.jpg", "rose/a.JPG", "iris/x.png", "iris/y.jpeg", "iris/z.gif")
    assert _found(tmp_path) == [
        ("iris/x.png", "iris", None),
        ("iris/y.jpeg", "iris", None),
        ("iris/z.gif", "iris", None),
        ("rose/a.JPG", "rose", None),
        ("rose/b.jpg", "rose", None),
    ]
    assert [photo.path for photo in scan(tmp_path)] == [
        str(tmp_path.resolve() / name) for name, _, _ in _found(tmp_path)
    ]


def test_split_folders_by_any_of_their_usual_names(tmp_path: pathlib.Path):
    _touch(tmp_path, "Training/a/1.jpg", "valid/a/2.jpg", "test/b/3.jpg", "VAL/b/4.jpg")
    assert _found(tmp_path) == [
        ("Training/a/1.jpg", "a", "train"),
        ("VAL/b/4.jpg", "b", "validation"),
        ("test/b/3.jpg", "b", "test"),
        ("valid/a/2.jpg", "a", "validation"),
    ]


def test_a_class_that_is_named_like_a_split_is_a_class_among_others(tmp_path: pathlib.Path):
    _touch(tmp_path, "train/1.jpg", "plane/2.jpg")
    assert _found(tmp_path) == [("plane/2.jpg", "plane", None), ("train/1.jpg", "train", None)]


def test_nested_folders_belong_to_the_class_above(tmp_path: pathlib.Path):
    _touch(tmp_path, "rose/2023/may/a.jpg", "rose/b.jpg", "iris/2023/a.jpg")
    assert _found(tmp_path) == [
        ("iris/2023/a.jpg", "iris", None),
        ("rose/2023/may/a.jpg", "rose", None),
        ("rose/b.jpg", "rose", None),
    ]


def test_names_with_spaces_and_in_any_script(tmp_path: pathlib.Path):
    _touch(tmp_path, "Черёмуха/фото 1.jpg", "ばら/写真.jpg", "blue bell/a b.jpg")
    assert {name for _, name, _ in _found(tmp_path)} == {"Черёмуха", "ばら", "blue bell"}


def test_hidden_files_other_files_and_files_outside_classes_are_passed_over(
    tmp_path: pathlib.Path,
):
    _touch(
        tmp_path,
        "rose/a.jpg",
        "iris/b.jpg",
        "rose/.hidden.jpg",
        "rose/._a.jpg",
        ".trash/c.jpg",
        "rose/.cache/d.jpg",
        "rose/notes.txt",
        "iris/jpg",
        "iris/movie.mp4",
        "lonely.jpg",
    )
    assert [name for name, _, _ in _found(tmp_path)] == ["iris/b.jpg", "rose/a.jpg"]


def test_photos_directly_in_a_split_folder_have_no_class(tmp_path: pathlib.Path):
    _touch(tmp_path, "train/a/1.jpg", "train/b/2.jpg", "train/lost.jpg", "test/a/3.jpg")
    assert [name for name, _, _ in _found(tmp_path)] == [
        "test/a/3.jpg",
        "train/a/1.jpg",
        "train/b/2.jpg",
    ]


def test_the_home_folder_is_understood(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    _touch(tmp_path, "photos/a/1.jpg", "photos/b/2.jpg")
    assert len(scan("~/photos")) == 2


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "holds no images in class folders"),
        (["a.jpg"], "holds no images in class folders"),
        (["rose/readme.txt"], r"suffix \.bmp, \.gif, \.jpeg, \.jpg, \.png"),
        (["train/1.jpg", "test/2.jpg"], "SPLIT/CLASS/photo.jpg"),
        (["rose/a.jpg", "rose/b.jpg"], r"one class only \(rose\)"),
        (["train/rose/a.jpg", "test/rose/b.jpg"], r"one class only \(rose\)"),
    ],
)
def test_a_folder_that_is_no_dataset_is_named_with_the_reason(
    names: list[str], message: str, tmp_path: pathlib.Path
):
    _touch(tmp_path, *names)
    with pytest.raises(PhotoFolderError, match=message) as error:
        scan(tmp_path)
    assert str(tmp_path.resolve()) in str(error.value)


@pytest.mark.parametrize("name", ["missing", "file.jpg"])
def test_what_is_no_folder_is_named(name: str, tmp_path: pathlib.Path):
    _touch(tmp_path, "file.jpg")
    with pytest.raises(PhotoFolderError, match=f"{name} is not a folder"):
        scan(tmp_path / name)


def test_a_name_that_is_not_utf_8_is_named(tmp_path: pathlib.Path):
    _touch(tmp_path, "rose/a.jpg", "iris/b.jpg")
    try:
        os.close(os.open(os.fsencode(tmp_path) + b"/rose/\xe9t\xe9.jpg", os.O_CREAT))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(PhotoFolderError, match=r"xe9t\\xe9.jpg' is not UTF-8"):
        scan(tmp_path)
