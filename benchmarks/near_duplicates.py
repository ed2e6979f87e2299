"""What likeness tells apart: photos that something was done to, and others of the same class.

Prints a line of JSON: for each change the lowest, the 5 % lowest and the median likeness of photos
with their changed copies; for pairs of photos of a class the median, the 99 % highest and the
highest. Photos are those of a prepared TFDS dataset, or synthetic ones.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from components.leak_check.likeness import likeness, prepare

Change = Callable[[Image.Image], bytes]


def jpeg(image: Image.Image, quality: int = 95) -> bytes:
    """The image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def cropped(image: Image.Image, share: float) -> Image.Image:
    """Some of the photo, not quite from its middle, enlarged to the size it had."""
    width, height = image.size
    left, top = width * (1 - share) * 0.4, height * (1 - share) * 0.6
    box = (left, top, left + width * share, top + height * share)
    return image.resize(image.size, Image.Resampling.BICUBIC, box)


CHANGES: dict[str, Change] = {
    "nothing": jpeg,
    "compressed": lambda image: jpeg(image, 40),
    "half the size": lambda image: jpeg(image.reduce(2)),
    "brighter": lambda image: jpeg(ImageEnhance.Brightness(image).enhance(1.3)),
    "paler": lambda image: jpeg(ImageEnhance.Contrast(image).enhance(0.6)),
    "mirrored": lambda image: jpeg(ImageOps.mirror(image)),
    "cropped to 88 %": lambda image: jpeg(cropped(image, 0.88)),
    "cropped to 92 %, mirrored, compressed": lambda image: jpeg(
        ImageOps.mirror(cropped(image, 0.92)), 60
    ),
}


def measure(photos: list[tuple[Image.Image, int]]) -> dict[str, dict[str, float]]:
    """Likeness of photos, given with their classes, to changed copies and to each other."""
    pictures = [prepare(jpeg(photo)) for photo, _ in photos]
    found = {}
    for name, change in CHANGES.items():
        values = [
            likeness(picture, prepare(change(photo)))
            for picture, (photo, _) in zip(pictures, photos, strict=True)
        ]
        found[name] = _quantiles(values, {"lowest": 0.0, "5 %": 0.05, "median": 0.5})
    pairs = [
        likeness(pictures[i], pictures[j])
        for i, j in itertools.combinations(range(len(photos)), 2)
        if photos[i][1] == photos[j][1]
    ]
    found["others of the class"] = _quantiles(
        pairs, {"median": 0.5, "99 %": 0.99, "highest": 1.0}
    ) | {"pairs": len(pairs)}
    return found


def _quantiles(values: list[float], wanted: dict[str, float]) -> dict[str, float]:
    return {name: round(float(np.quantile(values, share)), 3) for name, share in wanted.items()}


def stored_photos(
    dataset: str, data_dir: str | None, split: str
) -> Iterator[tuple[Image.Image, int]]:
    """Photos of a prepared dataset and their classes."""
    import tensorflow_datasets as tfds

    from benchmarks.transformed_records import dataset_folder

    builder = tfds.builder_from_directory(dataset_folder(dataset, data_dir))
    for example in builder.as_dataset(split=split).as_numpy_iterator():
        yield Image.fromarray(example["image"]), int(example["label"])


def synthetic_photos(size: int, species: int = 24) -> Iterator[tuple[Image.Image, int]]:
    """Drawn flowers of some species by turns."""
    from components.synthetic_flowers.genera import draw_species
    from components.synthetic_flowers.scene import draw_photo
    from components.synthetic_flowers.streams import Purpose, stream

    for number in itertools.count():
        label = number % species
        rng = stream(0, Purpose.TRAIN, label, number)
        yield Image.fromarray(draw_photo(rng, draw_species(0, label), size)), label


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", help="TFDS folder to take photos from")
    parser.add_argument("--dataset", default="oxford_flowers102", help="in it (%(default)s)")
    parser.add_argument("--split", default="train", help="of it (%(default)s)")
    parser.add_argument("--count", type=int, default=400, help="photos (%(default)s)")
    parser.add_argument("--size", type=int, default=128, help="of drawn ones (%(default)s)")
    options = parser.parse_args()
    if options.data_dir:
        photos = stored_photos(options.dataset, options.data_dir, options.split)
    else:
        photos = synthetic_photos(options.size)
    print(json.dumps(measure(list(itertools.islice(photos, options.count)))))


if __name__ == "__main__":
    main()
