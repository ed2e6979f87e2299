"""What the report of a run costs, for as many images as Oxford Flowers 102 has.

Prints one JSON line: seconds and peak memory of a process that imports what it needs, gathers the
findings and draws the page; the size of the page; and with `--compare`, as a ratio, what the map
costs beside t-SNE as scikit-learn does it by default on the same embeddings. Images are drawn, with
embeddings that scatter around their classes' centers; `--embeddings` takes an artifact of
ImageEmbedder instead.

    PYTHONPATH=. python benchmarks/report.py
"""

from __future__ import annotations

import argparse
import io
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from components.image_embedder.records import EmbeddedImage

SPLITS = {"train": 1020, "validation": 1020, "test": 6149}
CLASSES, DIM, SIDE = 102, 256, 96
# Of an image's distance to its class's center: recall@1 is then about that of a trained model.
SCATTER = 0.85


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--embeddings", type=pathlib.Path, help="artifact of ImageEmbedder")
    parser.add_argument("--page", type=pathlib.Path, help="keep the page in this file")
    parser.add_argument(
        "--compare", action="store_true", help="also run t-SNE as scikit-learn does it by default"
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _measure(options.embeddings, options.page)
        return
    with tempfile.TemporaryDirectory() as folder:
        embeddings = options.embeddings or pathlib.Path(folder, "embeddings")
        if options.embeddings is None:
            _draw(embeddings)
        page = options.page or pathlib.Path(folder, "report.html")
        # A process of its own, so that its memory is that of the report alone.
        command = [sys.executable, __file__, "--child", "--embeddings", str(embeddings)]
        done = subprocess.run(
            [*command, "--page", str(page)], stdout=subprocess.PIPE, check=True, text=True
        )
        found = json.loads(done.stdout.splitlines()[-1])
        if options.compare:
            found["map_to_default_tsne"] = round(
                found["map_seconds"] / _default_tsne(embeddings), 3
            )
    print(json.dumps({"benchmark": "report", **found}))


def _measure(embeddings: pathlib.Path, page: pathlib.Path) -> None:
    """Makes the report, and prints what it took."""
    started = time.perf_counter()
    from components.image_embedder.records import embedded_splits
    from components.report.findings.gather import gather
    from components.report.page.render import render
    from components.report.sources import ReportConfig, Sources

    steps = [("importing", started)]
    findings = gather(
        Sources(embeddings=str(embeddings), embedded_splits=embedded_splits(str(embeddings))),
        ReportConfig(),
        progress=lambda what: steps.append((what, time.perf_counter())),
    )
    steps.append(("drawing the page", time.perf_counter()))
    text = render(findings.content, findings.pictures, {"title": "benchmark"})
    page.write_text(text, "utf-8")
    ended = time.perf_counter()
    lengths = {
        what: end - begin
        for (what, begin), end in zip(steps, [time for _, time in steps[1:]] + [ended], strict=True)
    }
    for what, seconds in lengths.items():
        print(f"{seconds:6.1f} s  {what}", file=sys.stderr)
    print(
        json.dumps(
            {
                "images": sum(split["images"] for split in findings.content["splits"])
                or findings.content["map"]["of"],
                "seconds": round(ended - started, 1),
                "map_seconds": round(
                    sum(took for what, took in lengths.items() if "map" in what), 1
                ),
                "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
                "page_mb": round(page.stat().st_size / 1e6, 2),
            }
        )
    )


def _default_tsne(embeddings: pathlib.Path) -> float:
    """Seconds of scikit-learn's own t-SNE."""
    from sklearn.manifold import TSNE

    from components.image_embedder.records import embedded_splits, read

    vectors = read(str(embeddings), embedded_splits(str(embeddings))).embeddings
    started = time.perf_counter()
    TSNE(random_state=0, n_jobs=-1).fit_transform(vectors)
    return time.perf_counter() - started


def _draw(folder: pathlib.Path) -> None:
    """Writes an artifact of drawn images."""
    import tensorflow as tf

    from components.image_embedder import records

    rng = np.random.default_rng(0)
    centers = rng.standard_normal((CLASSES, DIM))
    for split, count in SPLITS.items():
        place = pathlib.Path(records.split_folder(str(folder), split))
        place.mkdir(parents=True)
        file = place / f"{records.FILE_PREFIX}-00000-of-00001{records.FILE_SUFFIX}"
        with tf.io.TFRecordWriter(str(file), "GZIP") as writer:
            for image in _images(rng, centers, split, count):
                writer.write(records.encode(image))


def _images(
    rng: np.random.Generator, centers: np.ndarray, split: str, count: int
) -> Iterator[EmbeddedImage]:
    from PIL import Image

    from components.image_embedder.records import EmbeddedImage

    for index in range(count):
        label = index % CLASSES
        row = centers[label] + SCATTER / (1 - SCATTER) * rng.standard_normal(DIM)
        # Broad shapes with some noise, about as hard to compress as a photo of that size.
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        pixels = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.int16)
        pixels = pixels + rng.integers(-12, 13, pixels.shape, np.int16)
        file = io.BytesIO()
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
        yield EmbeddedImage(
            identity=f"{split}/{index:05}".encode(),
            label=label,
            class_name=f"class {label:03}".encode(),
            split=split.encode(),
            embedding=(row / np.linalg.norm(row)).astype(np.float32),
            thumbnail=file.getvalue(),
        )


if __name__ == "__main__":
    main()
