"""Which photos a model is asked about."""

from __future__ import annotations

import pathlib

import pytest
from tfx.types import artifact_utils, standard_artifacts

from components.serving_check.photos import read_photos
from trainer_module import features


@pytest.fixture
def examples(examples_folder: pathlib.Path) -> standard_artifacts.Examples:
    artifact = standard_artifacts.Examples()
    artifact.uri = str(examples_folder)
    artifact.split_names = artifact_utils.encode_split_names(["train", "test"])
    return artifact


@pytest.mark.parametrize(
    ("splits", "count", "of_gallery", "others"),
    [
        (["train"], 6, 3, 3),
        (["train"], 7, 4, 3),
        (["train"], 100, 5, 4),
        (["test"], 8, 4, 4),
        (["train", "test"], 8, 8, 0),
    ],
)
def test_half_are_of_the_gallery(
    examples, photos: list[bytes], splits: list[str], count: int, of_gallery: int, others: int
) -> None:
    found = read_photos(examples, splits, count, lambda identity: True)
    assert [photo.in_gallery for photo in found] == [True] * of_gallery + [False] * others
    for photo in found:
        split, index = photo.identity.decode().split(" ü")
        assert (split in splits) == photo.in_gallery
        assert photo.image == photos[int(index) + (5 if split == "test" else 0)]
        assert features.parse_image([photo.example]).numpy()[0] == photo.image
    assert len({photo.identity for photo in found}) == len(found)


def test_photos_that_were_removed_from_the_gallery_are_passed_over(examples) -> None:
    left = {"train ü2".encode(), "train ü4".encode()}
    found = read_photos(examples, ["train"], 6, left.__contains__)
    assert {photo.identity for photo in found if photo.in_gallery} == left
    assert [photo.in_gallery for photo in found].count(False) == 3
    none = read_photos(examples, ["train"], 6, lambda identity: False)
    assert [photo.in_gallery for photo in none] == [False] * 3
    with pytest.raises(ValueError, match="no photo to ask about in the splits train, test"):
        read_photos(examples, ["train", "test"], 6, lambda identity: False)
