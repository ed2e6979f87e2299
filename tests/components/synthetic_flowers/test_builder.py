"""The dataset as TFDS writes it: features, splits, counts, ids, and images that stay the same."""

from __future__ import annotations

import io
import pathlib
from typing import Any

import pytest
import tensorflow_datasets as tfds
from PIL import Image

from components.synthetic_flowers.builder import SyntheticFlowers, synthetic_flowers_config
from components.synthetic_flowers.names import species_name

ARGUMENTS = {
    "num_classes": 3,
    "train_per_class": 3,
    "validation_per_class": 2,
    "test_per_class": 1,
    "image_size": 40,
    "seed": 11,
}


def _prepare(data_dir: pathlib.Path, **changed: int) -> tfds.core.DatasetBuilder:
    config = synthetic_flowers_config(**{**ARGUMENTS, **changed})
    builder = SyntheticFlowers(config=config, data_dir=data_dir)
    builder.download_and_prepare()
    return tfds.builder_from_directory(builder.data_path)


def _encoded(builder: tfds.core.DatasetBuilder) -> dict[str, tuple[str, int, bytes]]:
    """Returns `(split, label, file)` by file name."""
    found = {}
    total = 0
    for split in builder.info.splits:
        dataset = builder.as_dataset(split=split, decoders={"image": tfds.decode.SkipDecoding()})
        for example in dataset.as_numpy_iterator():
            total += 1
            name = example["file_name"].decode()
            found[name] = (split, int(example["label"]), example["image"])
    assert len(found) == total, "file names must be unique across splits"
    return found


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tfds.core.DatasetBuilder:
    return _prepare(tmp_path_factory.mktemp("synthetic"))


def test_features_are_those_of_oxford_flowers102(
    prepared: tfds.core.DatasetBuilder, tmp_path: pathlib.Path
):
    real = tfds.builder("oxford_flowers102", data_dir=tmp_path).info
    assert prepared.info.supervised_keys == real.supervised_keys == ("image", "label")
    assert set(prepared.info.features) == set(real.features) == {"image", "label", "file_name"}
    for key, feature in prepared.info.features.items():
        assert type(feature) is type(real.features[key])
        assert feature.shape == real.features[key].shape
        assert feature.dtype == real.features[key].dtype
    assert set(prepared.info.splits) == set(real.splits) | {"train", "validation", "test"}
    assert prepared.name == "synthetic_flowers"
    assert prepared.info.file_format.value == "tfrecord"


def test_splits_labels_and_names(prepared: tfds.core.DatasetBuilder):
    sizes = {split: info.num_examples for split, info in prepared.info.splits.items()}
    assert sizes == {"train": 9, "validation": 6, "test": 3}
    counts: dict[tuple[str, int], int] = {}
    for split, label, _ in _encoded(prepared).values():
        counts[split, label] = counts.get((split, label), 0) + 1
    per_class = {"train": 3, "validation": 2, "test": 1}
    assert counts == {(s, label): n for s, n in per_class.items() for label in range(3)}
    assert prepared.info.features["label"].names == [species_name(11, k) for k in range(3)]


def test_images_are_different_jpeg_files_of_the_asked_size(prepared: tfds.core.DatasetBuilder):
    files = [file for _, _, file in _encoded(prepared).values()]
    assert len(set(files)) == len(files)
    for file in files:
        image = Image.open(io.BytesIO(file))
        image.load()
        assert (image.format, image.mode, min(image.size)) == ("JPEG", "RGB", 40)


def test_an_image_does_not_depend_on_how_many_there_are(
    prepared: tfds.core.DatasetBuilder, tmp_path: pathlib.Path
):
    fewer = _encoded(_prepare(tmp_path, num_classes=2, train_per_class=2, test_per_class=2))
    more = _encoded(prepared)
    common = set(fewer) & set(more)
    assert len(common) == 2 * (2 + 2 + 1)
    assert {name: fewer[name] for name in common} == {name: more[name] for name in common}


def test_preparing_again_gives_equal_bytes_and_another_seed_does_not(
    prepared: tfds.core.DatasetBuilder, tmp_path: pathlib.Path
):
    assert _encoded(_prepare(tmp_path / "again")) == _encoded(prepared)
    other = _encoded(_prepare(tmp_path / "other", seed=12))
    assert set(other) == set(_encoded(prepared))
    assert not {file for *_, file in other.values()} & {f for *_, f in _encoded(prepared).values()}


def test_every_argument_gives_another_folder(tmp_path: pathlib.Path):
    def folder(**changed: int) -> str:
        config = synthetic_flowers_config(**{**ARGUMENTS, **changed})
        return str(SyntheticFlowers(config=config, data_dir=tmp_path).data_path)

    folders = {folder()} | {folder(**{key: value + 1}) for key, value in ARGUMENTS.items()}
    assert len(folders) == len(ARGUMENTS) + 1
    # The version of the drawing is part of the folder too.
    assert all(path.endswith(f"/{SyntheticFlowers.VERSION}") for path in folders)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"num_classes": 1}, "num_classes is 1"),
        ({"num_classes": 1001}, "num_classes is 1001"),
        ({"validation_per_class": 0}, "validation_per_class is 0"),
        ({"image_size": 31}, "image_size is 31"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_arguments_out_of_range(changed: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        synthetic_flowers_config(**{**ARGUMENTS, **changed})
