"""Draws a contact sheet: a row of photographs for each species, to look at with one's own eyes.

Needs neither TensorFlow nor a prepared dataset; the photographs are those of the training split.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.synthetic_flowers.genera import draw_species
from components.synthetic_flowers.names import species_name
from components.synthetic_flowers.scene import photograph
from components.synthetic_flowers.streams import Purpose, stream

_GAP = 2


def contact_sheet(seed: int, classes: int, columns: int, size: int) -> npt.NDArray[np.uint8]:
    """Draws the first `columns` training images of the first `classes` species.

    Args:
        seed: The dataset's seed.
        classes: Number of rows.
        columns: Images in a row.
        size: Side of an image in pixels; the longer side is cropped to it.

    Returns:
        RGB, uint8 [classes * (size + 2) - 2, columns * (size + 2) - 2, 3].
    """
    pitch = size + _GAP
    sheet = np.full((classes * pitch - _GAP, columns * pitch - _GAP, 3), 255, np.uint8)
    for row in range(classes):
        species = draw_species(seed, row)
        for column in range(columns):
            encoded = photograph(stream(seed, Purpose.TRAIN, row, column), species, size)
            pixels = np.asarray(Image.open(io.BytesIO(encoded)))
            top, left = (pixels.shape[0] - size) // 2, (pixels.shape[1] - size) // 2
            sheet[row * pitch : row * pitch + size, column * pitch : column * pitch + size] = (
                pixels[top : top + size, left : left + size]
            )
    return sheet


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; see `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m components.synthetic_flowers.contact_sheet",
        description="Draw synthetic flowers, one row a species, and print the species' names.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("output", metavar="OUT.png", help="picture to write; .jpg works too")
    parser.add_argument("--classes", type=_positive, default=12, help="species, one a row")
    parser.add_argument("--columns", type=_positive, default=8, help="images of each species")
    parser.add_argument("--size", type=_side, default=128, help="side of an image in pixels")
    parser.add_argument("--seed", type=_natural, default=0, help="seed of the dataset")
    options = parser.parse_args(arguments)
    sheet = contact_sheet(options.seed, options.classes, options.columns, options.size)
    try:
        Image.fromarray(sheet).save(options.output)
    except (OSError, ValueError) as error:
        print(f"cannot write {options.output}: {error}", file=sys.stderr)
        return 1
    for row in range(options.classes):
        print(f"row {row + 1}: {species_name(options.seed, row)}")
    return 0


def _at_least(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if value < least:
        raise argparse.ArgumentTypeError(f"must be at least {least}")
    return value


def _positive(text: str) -> int:
    return _at_least(text, 1)


def _natural(text: str) -> int:
    return _at_least(text, 0)


def _side(text: str) -> int:
    return _at_least(text, 32)


if __name__ == "__main__":
    sys.exit(main())
