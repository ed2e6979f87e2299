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

from components.photo_folder.division import SPLITS, Division, EmptySplitError, divide
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

    # TFDS logs a configuration: not with the name of every photo.
    photos: tuple[Photo, ...] = dataclasses.field(default=(), repr=False)
    source: Any = dataclasses.field(default=None, repr=False)
    image_key: str = "image"
    label_key: str = "label"
    class_names: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    division: Division = Division(0.15, 0.15, 0)


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
        chosen = self._chosen_splits()
        missing = [split for split in SPLITS if split not in chosen.values()]
        if missing:
            given = any(photo.split for photo in self.builder_config.photos)
            raise EmptySplitError(
                f"{' and '.join(missing)} would have none of the {len(chosen)} images; "
                + (
                    f"add photos in {missing[0]}/CLASS, or give the folder no splits"
                    if given
                    else "add images, or change data.division.validation_share and "
                    "data.division.test_share"
                )
            )
        return {split: self._generate_examples(split, chosen) for split in SPLITS}

    def _chosen_splits(self) -> dict[str, str]:
        """Returns the split of every image by id: the given one, or that of the division."""
        config = self.builder_config
        if config.source is not None:
            labels = ((item, str(label)) for item, label, _ in self._stored())
            return divide(labels, config.division)
        given = {p.relative: p.split for p in config.photos if p.split is not None}
        undecided = [(p.relative, p.class_name) for p in config.photos if p.split is None]
        return given | divide(undecided, config.division)

    def _generate_examples(
        self, split: str, chosen: dict[str, str]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        config = self.builder_config
        if config.source is not None:
            for item, label, image in self._stored():
                if chosen[item] == split:
                    yield item, {"image": io.BytesIO(image), "label": label, "file_name": item}
        for photo in config.photos:
            name = photo.relative
            if chosen[name] == split:
                yield name, {"image": photo.path, "label": photo.class_name, "file_name": name}

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
