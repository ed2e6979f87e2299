"""The photos that a model is asked about: real examples, some of which it must find itself."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import tensorflow as tf
from tfx.types import artifact_utils

from trainer_module import features


@dataclasses.dataclass(frozen=True)
class Photo:
    """One photo.

    Attributes:
        identity: Its id in the data.
        image: The encoded image.
        example: The serialized raw example that it was taken from.
        in_gallery: Whether the model can find it.
    """

    identity: bytes
    image: bytes
    example: bytes
    in_gallery: bool


def read_photos(
    examples: Any,
    gallery_splits: Collection[str],
    count: int,
    is_in_gallery: Callable[[bytes], bool],
) -> list[Photo]:
    """Takes the first photos of the gallery and as many others.

    Args:
        examples: The Examples artifact.
        gallery_splits: Splits that the gallery was made of.
        count: How many photos; fewer come back only where the data has no more.
        is_in_gallery: Whether the model can find the photo of an id. Of the gallery's splits, those
            that it cannot are passed over: they may have been removed by hand.

    Returns:
        Those of the gallery first, which are half of them or, where other splits have too few,
        more. None are of the gallery where nothing is left of its splits.

    Raises:
        ValueError: A split of the gallery that the data lacks, or data without any photo.
    """
    present = artifact_utils.decode_split_names(examples.split_names)
    if missing := [split for split in gallery_splits if split not in present]:
        raise ValueError(
            f"the gallery is of the splits {', '.join(missing)}; "
            f"the data has the splits {', '.join(present)}"
        )
    others = [split for split in present if split not in gallery_splits]
    strangers = list(itertools.islice(_photos(examples, others, in_gallery=False), count // 2))
    candidates = _photos(examples, list(gallery_splits), in_gallery=True)
    known = (photo for photo in candidates if is_in_gallery(photo.identity))
    found = [*itertools.islice(known, count - len(strangers)), *strangers]
    if not found:
        raise ValueError(f"no photo to ask about in the splits {', '.join(present)}")
    return found


def _photos(examples: Any, splits: Sequence[str], *, in_gallery: bool) -> Iterator[Photo]:
    for split in splits:
        folder = artifact_utils.get_split_uri([examples], split)
        files = sorted(tf.io.gfile.glob(os.path.join(folder, "*")))
        for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
            parsed = features.parse_raw(tf.constant([record]))
            yield Photo(
                identity=parsed[features.ID].numpy()[0],
                image=parsed[features.IMAGE].numpy()[0],
                example=record,
                in_gallery=in_gallery,
            )
