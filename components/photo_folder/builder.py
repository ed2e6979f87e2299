"""A TFDS builder that stores image files, byte for byte, as a prepared dataset.

It serves two sources: a folder of photos, and a TFDS dataset that lacks one of the three splits
the pipeline needs. Neither decodes an image: the bytes go through unchanged.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from components.photo_folder.division import Division, divide
from components.photo_folder.scan import Photo


@dataclasses.dataclass(eq=False)
class PhotosConfig(tfds.core.BuilderConfig):
    """What to store.

    Attributes:
        photos: The photo files; empty when `source` is given.
        source: A prepared TFDS builder whose images are divided anew; None for photo files.
        image_key: Name of the source's image feature.
        label_key: Name of the source's label feature.
        class_names: Class names in label order.
        division: Shares for images whose split is not given.
    """

    photos: tuple[Photo, ...] = ()
    source: Any = None
    image_key: str = "image"
    label_key: str = "label"
    class_names: tuple[str, ...] = ()
    division: Division = Division(0.15, 0.15, 0.0, 0)


def fingerprint(*parts: object) -> str:
    """Returns a short digest of `parts`, to give changed input a folder of its own."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


class Photos(tfds.core.GeneratorBasedBuilder):
    """Stores images with features `image`, `label` and `file_name`, like Oxford Flowers 102."""

    VERSION = tfds.core.Version("1.0.0")
    name = "photos"

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="Photos stored byte for byte.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "label": tfds.features.ClassLabel(names=list(self.builder_config.class_names)),
                    "file_name": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # Everything is on disk already.
        return {
            split: self._generate_examples(split) for split in ("train", "validation", "test")
        }

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        if self.builder_config.source is None:
            yield from self._from_files(split)
        else:
            yield from self._from_dataset(split)

    def _from_files(self, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        config = self.builder_config
        undecided = [(p.relative, p.class_name) for p in config.photos if p.split is None]
        chosen = divide(undecided, config.division) if undecided else {}
        for photo in config.photos:
            if (photo.split or chosen[photo.relative]) == split:
                yield (
                    photo.relative,
                    {"image": photo.path, "label": photo.class_name, "file_name": photo.relative},
                )

    def _from_dataset(self, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        config = self.builder_config
        chosen = divide(((item, str(label)) for item, label, _ in self._stored()), config.division)
        for item, label, image in self._stored():
            if chosen[item] == split:
                yield item, {"image": io.BytesIO(image), "label": label, "file_name": item}

    def _stored(self) -> Iterator[tuple[str, int, bytes]]:
        """Yields `(id, label, encoded image)` of every image of the source, in a fixed order."""
        config = self.builder_config
        for name in sorted(config.source.info.splits):
            dataset = config.source.as_dataset(
                split=name,
                decoders={config.image_key: tfds.decode.SkipDecoding()},
                read_config=tfds.ReadConfig(add_tfds_id=True),
                shuffle_files=False,
            )
            for example in dataset.as_numpy_iterator():
                identity = example["tfds_id"].decode()
                yield identity, int(example[config.label_key]), example[config.image_key]
