"""Draws what a pushed model answers: test images, each with its nearest gallery images beside it.

To look at with one's own eyes; figures are the Evaluator's business.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from pipeline.sample_query import stored_images

SIDE = 96
FRAME = 3
GAP = 4
SAME, OTHER = (46, 139, 87), (205, 92, 92)


def neighbour_sheet(model: Any, queries: Sequence[tuple[str, bytes]], columns: int) -> Image.Image:
    """Draws a row for each query: the photo, then its neighbours, best first.

    Args:
        model: The pushed SavedModel, loaded.
        queries: Pairs of class name and encoded image.
        columns: Neighbours in a row, at most those that the model returns.

    Returns:
        The picture; neighbours of the query's class are framed in green, others in red.
    """
    import tensorflow as tf

    answer = model.signatures["similar"](image_bytes=tf.constant([image for _, image in queries]))
    ids = answer["neighbour_ids"].numpy()[:, :columns]
    names = answer["neighbour_class_names"].numpy()[:, :columns]
    pitch = SIDE + GAP
    size = ((1 + ids.shape[1]) * pitch + GAP, len(queries) * pitch - GAP)
    sheet = Image.new("RGB", size, "white")
    for row, (class_name, image) in enumerate(queries):
        sheet.paste(_square(image), (0, row * pitch))
        # Where the gallery is smaller than the answer, the rest has no id.
        found = ids[row][ids[row] != b""]
        thumbnails = model.signatures["thumbnail"](ids=tf.constant(found))["thumbnail_bytes"]
        for column, thumbnail in enumerate(thumbnails.numpy()):
            same = names[row, column].decode() == class_name
            tile = ImageOps.expand(
                _square(thumbnail, SIDE - 2 * FRAME), FRAME, SAME if same else OTHER
            )
            sheet.paste(tile, ((1 + column) * pitch + GAP, row * pitch))
    ImageDraw.Draw(sheet).line([(pitch, 0), (pitch, size[1])], fill=(190, 190, 190))
    return sheet


def first_of_each_class(dataset: str, split: str) -> list[tuple[str, bytes]]:
    """Returns class name and encoded image of the first image of each class, sorted by name."""
    first: dict[str, bytes] = {}
    for _, class_name, image in stored_images(dataset, split):
        first.setdefault(class_name, image)
    return sorted(first.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; see `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.neighbour_sheet",
        description="Draw test images with the neighbours that a pushed model finds: green frames "
        "for the same class, red ones for another.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="version folder of the pushed model")
    parser.add_argument("dataset", metavar="DATASET", help="prepared TFDS folder")
    parser.add_argument("output", metavar="OUT.png", help="picture to write; .jpg works too")
    parser.add_argument("--rows", type=int, default=8, help="classes, one a row")
    parser.add_argument("--columns", type=int, default=8, help="neighbours of each")
    options = parser.parse_args(arguments)
    if options.rows < 1 or options.columns < 1:
        parser.error("--rows and --columns must be at least 1")

    import tensorflow as tf

    try:
        queries = first_of_each_class(options.dataset, "test")
        # Spread over the classes, whatever their order means.
        chosen = np.unique(np.linspace(0, len(queries) - 1, options.rows).astype(int))
        model = tf.saved_model.load(options.model)
        sheet = neighbour_sheet(model, [queries[i] for i in chosen], options.columns)
        sheet.save(options.output)
    except (OSError, ValueError) as error:
        print(f"neighbour_sheet: {error}", file=sys.stderr)
        return 1
    return 0


def _square(encoded: bytes, side: int = SIDE) -> Image.Image:
    """The central square of an encoded image."""
    return ImageOps.fit(Image.open(io.BytesIO(encoded)).convert("RGB"), (side, side))


if __name__ == "__main__":
    sys.exit(main())
