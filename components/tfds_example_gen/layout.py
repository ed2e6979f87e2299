"""What a prepared TFDS folder holds: which features are image, label and id, which files a split.

Shared by `flowersim prepare` (which checks a dataset early) and the ExampleGen executor.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from components.example_schema.names import has_control_characters

ID_FEATURES = ("file_name", "filename", "image/filename", "image_id", "image/id", "id")


class DatasetLayoutError(ValueError):
    """A dataset that is no image classification in TFRecords; the message names what is missing."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """Names of a dataset's parts.

    Attributes:
        image: Feature that holds the encoded image.
        label: Feature that holds the class index.
        identity: Text feature that identifies an image, or None (then its place in the shards).
        class_names: Class names in the order of the label.
        splits: File names by split.
        lengths: Number of images by file name, where the dataset says so.
    """

    image: str
    label: str
    identity: str | None
    class_names: tuple[str, ...]
    splits: dict[str, tuple[str, ...]]
    lengths: dict[str, int] = dataclasses.field(default_factory=dict)


def read_layout(builder: Any) -> Layout:
    """Finds the image, label and id features of a prepared TFDS builder.

    Args:
        builder: A `tfds.core.DatasetBuilder` whose data is on disk.

    Returns:
        The layout.

    Raises:
        DatasetLayoutError: No image or label feature, several without supervised keys, files that
            are no TFRecords, or a class whose name has control characters.
    """
    import tensorflow_datasets as tfds

    features = builder.info.features
    supervised = builder.info.supervised_keys or ()

    def only(kind: type, what: str) -> str:
        keys = [key for key, feature in features.items() if isinstance(feature, kind)]
        keys = [key for key in keys if key in supervised] or keys
        if len(keys) != 1:
            raise DatasetLayoutError(
                f"{builder.info.full_name} has {len(keys)} {what} features "
                f"({', '.join(keys) or 'none'}); exactly one is needed. "
                f"Its features: {', '.join(features)}"
            )
        return keys[0]

    image = only(tfds.features.Image, "image")
    label = only(tfds.features.ClassLabel, "class label")
    texts = [key for key, feature in features.items() if isinstance(feature, tfds.features.Text)]
    identity = next((key for key in ID_FEATURES if key in texts), None)
    file_format = builder.info.file_format
    if file_format is None or file_format.value != "tfrecord":
        raise DatasetLayoutError(
            f"{builder.info.full_name} is stored as {file_format and file_format.value}; "
            "prepare it as tfrecord"
        )
    splits = {
        name: tuple(path.name for path in info.filepaths)
        for name, info in builder.info.splits.items()
        if info.num_examples
    }
    names = tuple(features[label].names)
    for name in filter(has_control_characters, names):
        raise DatasetLayoutError(
            f"{builder.info.full_name} has the class {name!r}, whose name has control characters: "
            "rename it"
        )
    lengths = {
        path.name: length
        for info in builder.info.splits.values()
        for path, length in zip(info.filepaths, info.shard_lengths, strict=False)
    }
    return Layout(image, label, identity, names, splits, lengths)
