"""Classes that are kept for the test split, so that retrieval of classes never trained on shows.

The protocol of metric learning's benchmarks (Song et al. 2016, "Deep Metric Learning via Lifted
Structured Feature Embedding", section 6), for any dataset, whatever splits it comes with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence

from components.tfds_example_gen.images import Image

_SPLIT = "test"


def held_out_labels(class_names: Sequence[str], share: float, seed: int) -> frozenset[int]:
    """Chooses classes by a seeded hash of their names.

    Args:
        class_names: In the order of the labels.
        share: Of the classes; at least two stay for training, whatever it says.
        seed: Another one chooses others.

    Returns:
        Their labels.
    """

    def rank(label: int) -> bytes:
        return hashlib.sha256(f"{seed}:class:{class_names[label]}".encode()).digest()

    count = min(round(len(class_names) * share), max(0, len(class_names) - 2))
    return frozenset(sorted(range(len(class_names)), key=rank)[:count])


def hold_out(image: Image, labels: Collection[int], alone: bool) -> Iterator[Image]:
    """Moves an image of a class that is held out to the test split.

    Args:
        image: Any image.
        labels: Classes that are held out.
        alone: Whether the test split has no others.
    """
    if image.label in labels:
        yield image._replace(split=_SPLIT)
    elif not alone or image.split != _SPLIT:
        yield image
