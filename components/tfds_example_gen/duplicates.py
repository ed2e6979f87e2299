"""Finds images that are the same file, byte for byte, within and across splits.

A copy of a training image in a split that measures makes the measurement too good. Not for images
that merely look the same: these differ in their bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput

from components.tfds_example_gen.images import Image

COPIES = "copies"


def content_hash(image: Image) -> tuple[bytes, Image]:
    """Keys an image by the SHA-256 of its bytes."""
    return hashlib.sha256(image.content).digest(), image


class SeparateCopies(beam.DoFn):
    """Passes on the images of each group of one content, leaks left out if asked to.

    Groups of several also go to the output `COPIES`, as `(images without content, ids of those
    left out)`.
    """

    def __init__(self, splits: Sequence[str], drop_leaks: bool) -> None:
        """Prepares.

        Args:
            splits: All splits; an image may stay in the first of them that has it.
            drop_leaks: Whether copies in later splits are left out.
        """
        self._rank = {split: rank for rank, split in enumerate(splits)}
        self._drop_leaks = drop_leaks

    def process(self, group: tuple[bytes, Iterable[Image]]) -> Iterator[Image | TaggedOutput]:
        """Takes the images of one content."""
        images = sorted(group[1], key=lambda image: (self._rank[image.split], image.identity))
        first = images[0].split
        leaks = [image for image in images if image.split != first] if self._drop_leaks else []
        yield from (image for image in images if image not in leaks)
        if len(images) > 1:
            bare = [image._replace(content=b"") for image in images]
            yield TaggedOutput(COPIES, (bare, [image.identity for image in leaks]))
