"""PNG against raw pixels as storage of canonical images, in the gzipped TFRecords Transform writes.

Prints one JSON line. Its ratios are PNG (as `trainer_module.images` stores it) over raw pixels
(`tf.io.serialize_tensor`), on the same images in the same process, the sides taking turns:

- `size_ratio`: bytes of the files. 0.8 means that PNG needs a fifth less.
- `record_ratio`: bytes of the records once gunzipped, as the shuffle buffer holds them.
- `write_speed_ratio`: images a second, from pixels to a closed file. 0.5 means that PNG takes
  twice as long.
- `read_speed_ratio`: images a second, from the file to pixels, on one core.

The speeds are medians over rounds. `images` says what was stored: without options, images made
here that compress about as photos do, labelled `synthetic`; with `--dataset` or `--data_dir`,
photos of a prepared TFDS dataset, labelled with its name.

Not a measure of training speed: decoding is a small part of it.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", help="TFDS dataset to take photos from")
    parser.add_argument("--data_dir", help="TFDS folder; alone it means oxford_flowers102 there")
    parser.add_argument("--split", default="train", help="split of the dataset (%(default)s)")
    parser.add_argument("--size", type=int, default=256, help="canonical size (%(default)s)")
    parser.add_argument("--count", type=int, default=48, help="number of images (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side (%(default)s)")
    options = parser.parse_args()
    if options.size < 16 or min(options.count, options.rounds) < 1:
        parser.error("--size must be at least 16, --count and --rounds at least 1")
    name = options.dataset or ("oxford_flowers102" if options.data_dir else None)
    if name:
        pixels = list(photos(name, options.data_dir, options.split, options.size, options.count))
    else:
        pixels = [synthetic_photo(seed, options.size) for seed in range(options.count)]
    if not pixels:
        parser.error(f"{name} has no images in split {options.split}")
    print(
        json.dumps(
            {
                "benchmark": "image_storage",
                "images": name or "synthetic",
                "count": len(pixels),
                "mean_pixels": round(statistics.mean(image.size / 3 for image in pixels)),
                "rounds": options.rounds,
                **measure(pixels, options.rounds),
            }
        )
    )


def measure(pixels: list[np.ndarray], rounds: int) -> dict[str, float]:
    """Compares both ways to store images.

    Args:
        pixels: Canonical images, uint8 [H, W, 3] each.
        rounds: How often each side takes its turn.

    Returns:
        The ratios that the module's docstring explains.
    """
    import tensorflow as tf

    from trainer_module import images

    spec = [tf.TensorSpec([None, None, 3], tf.uint8)]
    sides: dict[str, Codec] = {
        "png": (tf.function(images.encode_png, spec), images.decode_canonical),
        "raw": (
            tf.function(tf.io.serialize_tensor, spec),
            lambda stored: tf.io.parse_tensor(stored, tf.uint8),
        ),
    }
    tensors = [tf.constant(image) for image in pixels]
    seconds: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    sizes, record_sizes = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        paths = {side: pathlib.Path(folder, side) for side in sides}
        readers = {side: _reader(paths[side], decode) for side, (_, decode) in sides.items()}
        # One round more, and first: it warms up, and does not count.
        for turn in range(rounds + 1):
            for side in sorted(sides, reverse=turn % 2 == 1):
                start = time.perf_counter()
                record_sizes[side] = _write(paths[side], tensors, sides[side][0])
                written = time.perf_counter()
                shapes = [image.shape for image in readers[side]]
                if turn:
                    seconds[side].append((written - start, time.perf_counter() - written))
                if shapes != [image.shape for image in pixels]:
                    raise RuntimeError(f"the {side} side did not give the images back")
                sizes[side] = paths[side].stat().st_size
    write, read = (
        statistics.median(
            raw[kind] / png[kind] for raw, png in zip(seconds["raw"], seconds["png"], strict=True)
        )
        for kind in (0, 1)
    )
    return {
        "size_ratio": round(sizes["png"] / sizes["raw"], 3),
        "record_ratio": round(record_sizes["png"] / record_sizes["raw"], 3),
        "write_speed_ratio": round(write, 3),
        "read_speed_ratio": round(read, 3),
    }


def synthetic_photo(seed: int, size: int) -> np.ndarray:
    """Draws a picture that PNG and gzip find about as hard as a photo.

    Detail with the spectrum of photos, fading into places out of focus, on a gradient.

    Args:
        seed: Which picture.
        size: Its height; the width is a third more.

    Returns:
        uint8 [size, 4/3 · size, 3].
    """
    rng = np.random.default_rng(seed)
    shape = (size, size * 4 // 3)
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
    frequency[0, 0] = np.inf

    def layer(steepness: float) -> np.ndarray:
        noise = np.fft.rfft2(rng.normal(size=shape)) * frequency**-steepness
        values = np.fft.irfft2(noise, shape)
        return values / values.std()

    # Amplitudes of photos fall about like 1/f. Channels share most of their detail.
    shared = layer(1.25)
    detail = np.stack([shared + 0.25 * layer(1.25) for _ in range(3)], axis=-1)
    in_focus = np.clip(2.0 * layer(3.0) + 0.6, 0.0, 1.0)
    y, x = np.mgrid[: shape[0], : shape[1]] / size
    gradient = rng.normal() * x + rng.normal() * y
    pixels = 128 + 40 * (in_focus[..., None] * detail + gradient[..., None])
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8)


def photos(
    name: str, data_dir: str | None, split: str, size: int, count: int
) -> Iterator[np.ndarray]:
    """Yields canonical images of a prepared TFDS dataset, uint8 [H, W, 3] each."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    from trainer_module import images

    dataset = tfds.builder(name, data_dir=data_dir).as_dataset(
        split=split, decoders={"image": tfds.decode.SkipDecoding()}
    )
    canonical = tf.function(lambda data: images.canonical(data, size))
    for example in dataset.take(count):
        yield canonical(example["image"]).numpy()


def _write(path: pathlib.Path, tensors: list[Any], encode: Callable[[Any], Any]) -> int:
    """Writes a gzipped TFRecord file; returns the bytes of its records."""
    import tensorflow as tf

    total = 0
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as file:
        for tensor in tensors:
            stored = tf.train.BytesList(value=[encode(tensor).numpy()])
            features = tf.train.Features(feature={"image": tf.train.Feature(bytes_list=stored)})
            record = tf.train.Example(features=features).SerializeToString()
            file.write(record)
            total += len(record)
    return total


def _reader(path: pathlib.Path, decode: Callable[[Any], Any]) -> Any:
    """A `tf.data.Dataset` of the images in a file of `_write`, that each iteration reads anew."""
    import tensorflow as tf

    spec = {"image": tf.io.FixedLenFeature([], tf.string)}
    records = tf.data.TFRecordDataset(str(path), compression_type="GZIP")
    return records.map(lambda record: decode(tf.io.parse_single_example(record, spec)["image"]))


if __name__ == "__main__":
    main()
