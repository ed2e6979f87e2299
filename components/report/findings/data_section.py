"""What is known of the data: images by class, and what ingestion and LeakCheck found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.leak_check.report import NearDuplicate
from components.report.findings.pictures import PictureBook
from components.report.findings.run_images import RunImages
from components.tfds_example_gen.report import Report

# Of each kind that are listed.
MOST_BAD, MOST_SHOWN, MOST_COPIES = 100, 12, 12
_ORDER = ("train", "validation", "test")


def splits(ingestion: Report | None, embedded: Sequence[str]) -> list[str]:
    """Names of all splits that anything is known of: the usual ones first, in their order."""
    found = {*embedded, *(ingestion.images if ingestion else ())}
    return [split for split in _ORDER if split in found] + sorted(found.difference(_ORDER))


def counted(
    names: Sequence[str], ingestion: Report | None, images: RunImages
) -> list[dict[str, Any]]:
    """Number of images of each split after ingestion."""
    return [
        {
            "name": name,
            "images": (
                ingestion.images.get(name, 0)
                if ingestion
                else int(np.count_nonzero(images.splits == name))
            ),
        }
        for name in names
    ]


def data_section(
    names: Sequence[str],
    embedded: Sequence[str],
    ingestion: Report | None,
    near_duplicates: Sequence[NearDuplicate] | None,
    images: RunImages,
    pictures: PictureBook,
    *,
    left_out: bool,
) -> dict[str, Any]:
    """The section `data` of the findings.

    Args:
        names: Of all splits.
        embedded: Of those whose images are embedded; of the others class counts are not known.
        ingestion: What ingestion found; None if it did not come to it.
        near_duplicates: What LeakCheck found; None if it did not look.
        images: The embedded images.
        pictures: Where pictures are asked for.
        left_out: Whether near-duplicates took no part in the evaluation.
    """
    return {
        "class_counts": _class_counts(names, embedded, images),
        "bad_images": ingestion.bad_images[:MOST_BAD] if ingestion else [],
        "bad_count": len(ingestion.bad_images) if ingestion else None,
        "duplicates": _duplicates(ingestion, pictures) if ingestion else None,
        "near_duplicates": (
            None
            if near_duplicates is None
            else {
                "count": len(near_duplicates),
                "left_out": left_out,
                "shown": [
                    {
                        **vars(found),
                        "picture": pictures.add_id(found.id),
                        "original_picture": pictures.add_id(found.original_id),
                    }
                    for found in near_duplicates[:MOST_SHOWN]
                ],
            }
        ),
    }


def _class_counts(
    names: Sequence[str], embedded: Sequence[str], images: RunImages
) -> list[list[int | None]]:
    """By class, the number of images in each split; None for a split that is not embedded."""
    by_split = [
        np.bincount(images.classes[images.splits == name], minlength=len(images.class_names))
        if name in embedded
        else None
        for name in names
    ]
    return [
        [None if counts is None else int(counts[place]) for counts in by_split]
        for place in range(len(images.class_names))
    ]


def _duplicates(ingestion: Report, pictures: PictureBook) -> dict[str, Any]:
    """Copies: those across splits first, since these are leaks, then the largest groups."""
    groups = ingestion.duplicates
    ranked = sorted(groups, key=lambda group: (not _is_leak(group), -len(group["images"])))
    return {
        "groups": len(groups),
        "across_splits": sum(map(_is_leak, groups)),
        "dropped": ingestion.dropped,
        "shown": [_group(group, pictures) for group in ranked[:MOST_SHOWN]],
    }


def _is_leak(group: dict[str, Any]) -> bool:
    return len({image["split"] for image in group["images"]}) > 1


def _group(group: dict[str, Any], pictures: PictureBook) -> dict[str, Any]:
    """Copies are one picture, so that one that was dropped looks like one that was kept."""
    listed = group["images"][:MOST_COPIES]
    keys = (pictures.add_id(image["id"]) for image in group["images"])
    picture = next((key for key in keys if key is not None), None)
    return {
        "images": [{**image, "picture": picture} for image in listed],
        "count": len(group["images"]),
        "dropped": group["dropped"],
    }
