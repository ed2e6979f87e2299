"""What searching costs in the served model, and what routed search gains and misses.

Prints one JSON line. Two sides that are compared take turns, and ratios are medians over rounds.

- `similar_over_embed`: time of the signature `similar` over that of `embed`, at batch 1 and 32, of
  a SavedModel as the pipeline pushes it: EfficientNet-Lite0 at 224 pixels, a gallery of
  100,000 × 256 random rows, exact search, 20 neighbours. The goals are at most 1.5 and 1.2. The
  photos are JPEGs of 224 × 224 pixels: larger ones take longer to decode, which favours the ratio.
- `routed`: among 1,000,000 × 128 rows, for several numbers of probes, the share of the exact 10
  nearest that is found (`recall_at_10`) and the exact search's time over the routed search's
  (`speed_up`), at batch 1 and 32. Rows are made of 500 genera of 20 species of 100 photos, each a
  normal deviate in all 128 dimensions around the level above: a species' around its genus' with a
  standard deviation of 1, a photo's around its species' with `--noise`. Queries are other photos of
  the same species. `own_class` is the share of the exact 10 nearest that is of the query's
  species: what is not of it lies in other cells. Noise in all dimensions is hard to route; photos
  differ in fewer.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

BATCHES = (1, 32)
PIXELS, GALLERY, DIM = 224, 100_000, 256
GENERA, QUERIES, TOP = 500, 1000, 10

Side = Callable[[Any], Any]


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=["exact", "routed"], help="measure one of the two")
    parser.add_argument("--rounds", type=int, default=21, help="turns of each side (%(default)s)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="routed (%(default)s)")
    parser.add_argument("--dim", type=int, default=128, help="routed (%(default)s)")
    parser.add_argument(
        "--per-class", type=int, default=100, help="photos of a species (%(default)s)"
    )
    parser.add_argument("--noise", type=float, default=2.0, help="of photos (%(default)s)")
    parser.add_argument(
        "--classes", choices=["species", "genera"], default="species", help="(%(default)s)"
    )
    parser.add_argument("--probes", type=int, nargs="+", default=[4, 8, 16, 32, 64, 128, 256])
    parser.add_argument(
        "--bounds",
        type=int,
        nargs=2,
        metavar=("SMALLEST", "LARGEST"),
        help="of cells, see retrieval/cells.py",
    )
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if options.rows % (GENERA * options.per_class):
        parser.error(f"--rows must be a multiple of {GENERA} times --per-class")
    result: dict[str, Any] = {"benchmark": "served_search", "cores": os.cpu_count()}
    if options.only != "routed":
        result |= exact_in_a_model(options.rounds)
    if options.only != "exact":
        result["routed"] = routed_beside_exact(options)
    print(json.dumps(result))


def exact_in_a_model(rounds: int) -> dict[str, Any]:
    """Signature `similar` beside `embed`."""
    import tensorflow as tf

    from benchmarks import served_model

    photos = tf.constant(served_model.photos(max(BATCHES), side=PIXELS))
    with tempfile.TemporaryDirectory() as folder:
        served_model.write(
            pathlib.Path(folder),
            gallery=GALLERY,
            dim=DIM,
            input_size=PIXELS,
            overrides=("model.backbone=efficientnet_lite0", "model.mirror_average=false"),
        )
        served = tf.saved_model.load(folder)
    sides: dict[str, Side] = {
        name: lambda batch, name=name: served.signatures[name](image_bytes=batch)  # type: ignore[misc]
        for name in ("embed", "similar")
    }
    ratios, milliseconds = {}, {}
    for size in BATCHES:
        times = _turns(sides, [photos[:size]] * rounds)
        pairs = zip(times["similar"], times["embed"], strict=True)
        ratios[str(size)] = round(statistics.median(one / other for one, other in pairs), 3)
        milliseconds[str(size)] = _medians(times)
    return {"similar_over_embed": ratios, "milliseconds": milliseconds}


def routed_beside_exact(options: argparse.Namespace) -> dict[str, Any]:
    """Routed search with several numbers of probes beside exact search."""
    import tensorflow as tf

    from retrieval.cells import cell_bounds, class_cells
    from retrieval.rows import unit_rows
    from retrieval.search import top_k
    from retrieval.tf_routed_search import RoutedGallery
    from retrieval.tf_search import ExactGallery

    gallery, labels, queries, query_labels = make_rows(options)
    _, expected = top_k(queries, gallery, TOP)
    gallery = unit_rows(gallery)
    started = time.perf_counter()
    bounds = options.bounds or cell_bounds(len(gallery))
    cells = class_cells(gallery, labels, bounds=tuple(bounds))
    seconds = time.perf_counter() - started
    sizes = np.diff(cells.starts)
    shape = [tf.TensorSpec([None, options.dim], tf.float32)]
    galleries: dict[str, ExactGallery | RoutedGallery] = {"exact": ExactGallery(gallery)}
    for probes in options.probes:
        galleries[str(probes)] = RoutedGallery(gallery, cells, probes=probes)
    sides: dict[str, Side] = {
        name: tf.function(lambda rows, one=one: one.nearest(rows, TOP), input_signature=shape)
        for name, one in galleries.items()
    }
    found: dict[str, dict[str, Any]] = {}
    for name, side in sides.items():
        parts = [side(tf.constant(queries[i : i + 100]))[1] for i in range(0, QUERIES, 100)]
        hits = (np.concatenate(parts)[:, :, None] == expected[:, None, :]).any(axis=1)
        found[name] = {"recall_at_10": round(float(hits.mean()), 4), "speed_up": {}}
    if found.pop("exact")["recall_at_10"] != 1.0:
        raise AssertionError("the exact search in TensorFlow is not that in NumPy")
    milliseconds = {}
    for size in BATCHES:
        # Other queries each time: they go to other cells.
        places = [i * size % (QUERIES - size) for i in range(options.rounds)]
        times = _turns(sides, [tf.constant(queries[i : i + size]) for i in places])
        milliseconds[str(size)] = _medians(times)
        for name, about in found.items():
            pairs = zip(times["exact"], times[name], strict=True)
            ratio = statistics.median(exact / routed for exact, routed in pairs)
            about["speed_up"][str(size)] = round(ratio, 1)
    return {
        "rows": options.rows,
        "dim": options.dim,
        "per_class": options.per_class,
        "classes": options.classes,
        "noise": options.noise,
        "own_class": round(float((labels[expected] == query_labels[:, None]).mean()), 4),
        "bounds": list(bounds),
        "cells": {"count": len(sizes), "fewest": int(sizes.min()), "most": int(sizes.max())},
        "division_seconds": round(seconds, 1),
        "probes": found,
        "milliseconds": milliseconds,
    }


def make_rows(options: argparse.Namespace) -> tuple[np.ndarray, ...]:
    """Rows of the gallery, their classes, queries, and theirs; see the module's docstring."""
    rng = np.random.default_rng(0)
    species = options.rows // (GENERA * options.per_class)

    def deviates(count: int) -> np.ndarray:
        return rng.standard_normal((count, options.dim), np.float32)

    genera = np.repeat(deviates(GENERA), species, axis=0)
    centers = genera + deviates(GENERA * species)
    of_row = np.repeat(np.arange(len(centers)), options.per_class)
    of_query = rng.integers(0, len(centers), QUERIES)
    gallery = centers[of_row]
    # Some at a time: deviates are as large as the rows.
    for start in range(0, len(gallery), 50_000):
        part = gallery[start : start + 50_000]
        part += options.noise * deviates(len(part))
    queries = centers[of_query] + options.noise * deviates(QUERIES)
    size = species if options.classes == "genera" else 1
    return gallery, of_row // size, queries, of_query // size


def _turns(sides: dict[str, Side], arguments: list[Any]) -> dict[str, list[float]]:
    """Seconds of each side with each argument, the sides taking turns."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for side in sides.values():
        side(arguments[0])
    for argument in arguments:
        for name, side in sides.items():
            started = time.perf_counter()
            result = side(argument)
            for tensor in result.values() if isinstance(result, dict) else result:
                tensor.numpy()
            times[name].append(time.perf_counter() - started)
    return times


def _medians(times: dict[str, list[float]]) -> dict[str, float]:
    """In milliseconds."""
    return {name: round(1e3 * statistics.median(values), 2) for name, values in times.items()}


if __name__ == "__main__":
    main()
