"""What ingestion found: bad images, copies, and how many images each split is left with.

Written as `ingestion.json` into the Examples artifact. Beam writes its lines; a component's `Do`
makes the file of them.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    # Imports Beam, and whoever only reads a report has no use for it.
    from components.tfds_example_gen.images import Image

FILE = "ingestion.json"
_LISTED = 10


class IngestionError(ValueError):
    """Data that no model should be trained on; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Report:
    """What ingestion found.

    Attributes:
        images: Number of images by split, after bad ones and dropped copies were left out.
        bad_images: `id`, `split`, `class_name` and `reason` of each, sorted.
        duplicates: For each content that several images have: `images` (each with `id`, `split`,
            `class_name`) and `dropped`, the ids of those left out.
    """

    images: dict[str, int]
    bad_images: list[dict[str, str]]
    duplicates: list[dict[str, Any]]

    @property
    def dropped(self) -> int:
        """Number of copies left out."""
        return sum(len(group["dropped"]) for group in self.duplicates)

    def check(self, splits: Sequence[str], max_bad_share: float) -> None:
        """Refuses data with too many bad images, or a split with none left.

        Raises:
            IngestionError: The message lists the first bad images.
        """
        bad = len(self.bad_images)
        total = sum(self.images.values()) + self.dropped + bad
        listed = "".join(
            f"\n  {item['split']}  {item['id']}: {item['reason']}"
            for item in self.bad_images[:_LISTED]
        ) + (f"\n  and {bad - _LISTED} more" if bad > _LISTED else "")
        if bad > max_bad_share * total:
            raise IngestionError(
                f"{bad} of {total} images ({bad / total:.1%}) cannot be used; "
                f"data.max_bad_share allows {max_bad_share:.1%}. Mend or remove them, or raise "
                f"data.max_bad_share.{listed}"
            )
        for split in splits:
            if not self.images.get(split):
                raise IngestionError(
                    f"split {split} has no images left: "
                    f"{sum(item['split'] == split for item in self.bad_images)} cannot be used, "
                    "the others are copies of images in earlier splits (data.drop_leaks)." + listed
                )


def bad_line(item: tuple[Image, str]) -> str:
    """Returns the line for a bad image."""
    image, reason = item
    return json.dumps({"bad": {**_named(image), "reason": reason}})


def copies_line(item: tuple[list[Image], list[str]]) -> str:
    """Returns the line for images of one content, and the ids of those left out."""
    images, dropped = item
    return json.dumps({"copies": {"images": [_named(i) for i in images], "dropped": dropped}})


def count_line(item: tuple[str, int]) -> str:
    """Returns the line for a split and its number of images."""
    return json.dumps({"count": item})


def from_lines(lines: Sequence[str]) -> Report:
    """Builds a report of lines in any order."""
    rows = [json.loads(line) for line in lines]

    def of(kind: str) -> list[Any]:
        return [row[kind] for row in rows if kind in row]

    return Report(
        images=dict(sorted(of("count"))),
        bad_images=sorted(of("bad"), key=lambda item: (item["split"], item["id"])),
        duplicates=sorted(of("copies"), key=lambda group: group["images"][0]["id"]),
    )


def write(report: Report, uri: str) -> None:
    """Writes the report into an Examples artifact."""
    with tf.io.gfile.GFile(os.path.join(uri, FILE), "w") as file:
        json.dump(dataclasses.asdict(report), file, indent=1, ensure_ascii=False)


def read(uri: str) -> Report:
    """Reads the report of an Examples artifact."""
    with tf.io.gfile.GFile(os.path.join(uri, FILE)) as file:
        return Report(**json.load(file))


def _named(image: Image) -> dict[str, str]:
    return {"id": image.identity, "split": image.split, "class_name": image.class_name}
