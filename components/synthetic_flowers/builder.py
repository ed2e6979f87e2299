"""The TFDS builder of the embedded dataset: drawn flowers with the features of Oxford Flowers 102.

Storing is all that happens here; photographs come from `drawing.py`.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from components.synthetic_flowers.drawing import Order, draw_all
from components.synthetic_flowers.names import species_name

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(eq=False)
class SyntheticFlowersConfig(tfds.core.BuilderConfig):
    """What to draw; make it with `synthetic_flowers_config`, which gives it its name.

    Attributes:
        num_classes: Number of species.
        per_class: Images of each species, by split.
        image_size: Shorter side of the images in pixels.
        seed: Seed of species and images.
    """

    num_classes: int = 0
    per_class: dict[str, int] = dataclasses.field(default_factory=dict)
    image_size: int = 0
    seed: int = 0


def synthetic_flowers_config(
    *,
    num_classes: int,
    train_per_class: int,
    validation_per_class: int,
    test_per_class: int,
    image_size: int,
    seed: int,
) -> SyntheticFlowersConfig:
    """Describes a dataset; other arguments give another name, and with it another folder.

    Args:
        num_classes: Number of species, 2 … 1000. The first ones stay the same when it grows.
        train_per_class: Training images of each species; likewise.
        validation_per_class: Validation images of each species.
        test_per_class: Test images of each species.
        image_size: Shorter side of the images in pixels, at least 32.
        seed: Seed of species and images, at least 0.

    Returns:
        The configuration for `SyntheticFlowers(config=…)`.

    Raises:
        ValueError: An argument is out of range.
    """
    counts = {"train": train_per_class, "validation": validation_per_class, "test": test_per_class}
    if not 2 <= num_classes <= 1000:
        raise ValueError(f"num_classes is {num_classes}, but must be 2 … 1000")
    for split, count in counts.items():
        if count < 1:
            raise ValueError(f"{split}_per_class is {count}, but must be at least 1")
    if image_size < 32:
        raise ValueError(f"image_size is {image_size}, but must be at least 32")
    if seed < 0:
        raise ValueError(f"seed is {seed}, but must be at least 0")
    images = "-".join(f"{split}{count}" for split, count in counts.items())
    return SyntheticFlowersConfig(
        name=f"classes{num_classes}-{images}-size{image_size}-seed{seed}",
        num_classes=num_classes,
        per_class=counts,
        image_size=image_size,
        seed=seed,
    )


class SyntheticFlowers(tfds.core.GeneratorBasedBuilder):
    """Procedural flowers with features `image`, `label` and `file_name`."""

    # Counts up whenever the drawing changes, so that no folder mixes two ways of drawing.
    VERSION = tfds.core.Version("1.0.0")
    name = "synthetic_flowers"

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        names = [species_name(config.seed, label) for label in range(config.num_classes)]
        return self.dataset_info_from_configs(
            description="Invented flowers, drawn by a program in the manner of photographs.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "label": tfds.features.ClassLabel(names=names),
                    "file_name": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager  # Nothing is downloaded.
        return {split: self._generate_examples(split) for split in SPLITS}

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        config = self.builder_config
        orders = [
            Order(config.seed, split, label, number, config.image_size)
            for label in range(config.num_classes)
            for number in range(config.per_class[split])
        ]
        for order, encoded in zip(orders, draw_all(orders), strict=True):
            file_name = f"{split}_{order.label:04d}_{order.number:06d}.jpg"
            yield (
                file_name,
                {"image": io.BytesIO(encoded), "label": order.label, "file_name": file_name},
            )
