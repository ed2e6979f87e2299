"""Brings the dataset that the settings name into one prepared TFDS folder, and writes its schema.

Everything after this step reads `DATA_DIR/NAME/VERSION`, whatever the source was: flowers drawn
here, a folder of photos, or a TFDS dataset (on disk, or downloaded by TFDS).
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import Any

from components.photo_folder.division import SPLITS, Division, EmptySplitError
from pipeline.settings import DataSettings


class PrepareError(RuntimeError):
    """A dataset that cannot be brought in; the message names it and says what to do."""


@dataclasses.dataclass(frozen=True)
class PreparedData:
    """A dataset on disk.

    Attributes:
        folder: The prepared folder, `DATA_DIR/NAME/VERSION`.
        class_names: In the order of the label.
        split_sizes: Number of images by split.
        schema_path: The curated schema completed with the classes.
    """

    folder: str
    class_names: tuple[str, ...]
    split_sizes: dict[str, int]
    schema_path: str


def data_place(data: DataSettings, workdir: str | os.PathLike[str]) -> str:
    """Returns the folder, or bucket URL, in which `prepare` makes or downloads a dataset."""
    if data.data_dir:
        return data.data_dir
    if data.folder is None and data.dataset != "synthetic_flowers":
        return os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    return str(pathlib.Path(workdir) / "data")


def prepare(data: DataSettings, workdir: str | os.PathLike[str]) -> PreparedData:
    """Materialises the dataset, unless it is there already.

    Args:
        data: The `data` section of the settings.
        workdir: Where generated datasets and the schema go when `data.data_dir` is not set.

    Returns:
        What was prepared.

    Raises:
        PrepareError: An unknown dataset, a failed download, or a split without images.
    """
    from components.example_schema.curate import write_schema
    from components.photo_folder.scan import PhotoFolderError
    from components.tfds_example_gen.layout import DatasetLayoutError, read_layout

    own_folder = data.data_dir or str(pathlib.Path(workdir) / "data")
    try:
        if data.folder is not None:
            builder = _photos(data, own_folder)
        elif data.dataset == "synthetic_flowers":
            builder = _synthetic(data, own_folder)
        else:
            builder = _tfds(data, own_folder)
        layout = read_layout(builder)
    except EmptySplitError as error:
        raise PrepareError(f"{data.folder or data.dataset}: {error}") from error
    except (PhotoFolderError, DatasetLayoutError) as error:
        raise PrepareError(str(error)) from error
    sizes = {split: builder.info.splits[split].num_examples for split in SPLITS}
    for split, size in sizes.items():
        if not size:
            raise PrepareError(f"{builder.info.full_name} has no images in its split {split}")
    folder = str(builder.data_path)
    return PreparedData(
        # A relative path would be another input of the pipeline in another working directory.
        folder=folder if "://" in folder else os.path.abspath(folder),
        class_names=layout.class_names,
        split_sizes=sizes,
        schema_path=write_schema(pathlib.Path(workdir) / "schema", layout.class_names, SPLITS),
    )


def _materialise(builder: Any) -> Any:
    """Writes the dataset of `builder` to disk if it is not there, and opens what was written."""
    import tensorflow_datasets as tfds

    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False)
    )
    return tfds.builder_from_directory(builder.data_path)


def _synthetic(data: DataSettings, data_dir: str) -> Any:
    from components.synthetic_flowers.builder import SyntheticFlowers, synthetic_flowers_config

    synthetic = data.synthetic
    config = synthetic_flowers_config(
        num_classes=synthetic.classes,
        train_per_class=synthetic.train_per_class,
        validation_per_class=synthetic.validation_per_class,
        test_per_class=synthetic.test_per_class,
        image_size=synthetic.image_size,
        seed=synthetic.seed,
    )
    return _materialise(SyntheticFlowers(config=config, data_dir=data_dir))


def _division(data: DataSettings) -> Division:
    return Division(data.division.validation_share, data.division.test_share, data.division.seed)


def _photos(data: DataSettings, data_dir: str) -> Any:
    from components.photo_folder.builder import Photos, PhotosConfig, fingerprint
    from components.photo_folder.scan import scan

    photos = tuple(scan(data.folder or ""))
    division = _division(data)
    files = [os.stat(photo.path) for photo in photos]
    stamps = [(file.st_size, file.st_mtime_ns) for file in files]
    config = PhotosConfig(
        name=f"folder-{fingerprint(photos, stamps, division)}",
        photos=photos,
        class_names=tuple(sorted({photo.class_name for photo in photos})),
        division=division,
    )
    return _materialise(Photos(config=config, data_dir=data_dir))


def _tfds(data: DataSettings, own_folder: str) -> Any:
    """Opens or downloads a TFDS dataset; divides it anew when it lacks one of the splits."""
    import tensorflow_datasets as tfds

    from components.photo_folder.builder import Photos, PhotosConfig, fingerprint
    from components.tfds_example_gen.layout import read_layout

    try:
        builder = tfds.builder(data.dataset, data_dir=data.data_dir)
    except tfds.core.registered.DatasetNotFoundError as error:
        raise PrepareError(
            f"data.dataset={data.dataset!r} is no TFDS dataset"
            + (f", nor one stored in {data.data_dir}" if data.data_dir else "")
        ) from error
    except Exception as error:  # An unknown version or configuration, in many types.
        raise PrepareError(f"data.dataset={data.dataset!r}: {error}") from error
    try:
        builder = _materialise(builder)
    except Exception as error:  # TFDS wraps network errors in many types.
        raise PrepareError(
            f"TFDS could not download {data.dataset}: {error}\n"
            "Point data.data_dir at a folder that holds it already prepared, or try again with "
            "internet access."
        ) from error
    if all(split in builder.info.splits for split in SPLITS):
        return builder
    layout = read_layout(builder)
    division = _division(data)
    stored = [(name, i.num_examples, i.num_bytes) for name, i in builder.info.splits.items()]
    config = PhotosConfig(
        name=f"{builder.name}-{fingerprint(str(builder.data_path), stored, division)}",
        source=builder,
        image_key=layout.image,
        label_key=layout.label,
        class_names=layout.class_names,
        division=division,
    )
    return _materialise(Photos(config=config, data_dir=own_folder))
