"""Whether reading, decoding and augmenting keep up with training.

Prints one JSON line. `throughput_ratio` is images a second of training on the Trainer's own input
pipeline (transformed TFRecords, PNG decoding, augmentation, batches) over those of the same steps,
the ones `model.fit` takes, on batches that lie in memory already; the goal is at least 0.95. Both
sides train the same compiled model, taking turns; the ratio is the median over the rounds.

Without options the images are made here and stored at the preset's canonical size; `--data-dir`
takes Oxford Flowers 102 from a TFDS folder.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import tempfile
import time
from typing import Any

# Steps of each turn before the clock starts.
_UNTIMED = 4


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", help="TFDS folder that holds oxford_flowers102")
    parser.add_argument("--steps", type=int, default=12, help="steps of a turn (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side (%(default)s)")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE",
        help="change a setting of the preset flowers102",
    )  # fmt: skip
    options = parser.parse_args()
    if min(options.steps, options.rounds) < 1:
        parser.error("--steps and --rounds must be at least 1")
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps({"benchmark": "training", **measure(options, pathlib.Path(folder))}))


def measure(options: argparse.Namespace, folder: pathlib.Path) -> dict[str, Any]:
    """Trains on both sides, turn about."""
    from benchmarks.trainer_config import trainer_config
    from benchmarks.transformed_records import (
        Records,
        dataset_folder,
        write_made_up_records,
        write_records,
    )
    from trainer_module.input_pipeline import training_batches
    from trainer_module.training import compiled_model

    config = trainer_config("flowers102", *options.overrides)
    if options.data_dir:
        records: Records = write_records(
            dataset_folder("oxford_flowers102", options.data_dir),
            folder,
            canonical_size=config.canonical_size,
            splits=("train",),
        )
    else:
        records = write_made_up_records(folder, canonical_size=config.canonical_size)
    batches = training_batches(records.patterns["train"], config, class_counts=records.class_counts)
    in_memory = batches.take(options.steps).cache()
    for _ in in_memory:
        pass
    model = compiled_model(config, len(records.class_counts), options.steps)
    # What `fit` calls for each step, without its callbacks.
    model.make_train_function()
    sides = {"pipeline": batches, "memory": in_memory.repeat()}

    def turn(side: str) -> float:
        # An iterator of its own, so that the pipeline does not work ahead in the other side's turn;
        # its first batches fill buffers and are not timed.
        iterator = iter(sides[side])
        for _ in range(_UNTIMED):
            model.train_function(iterator)
        started = time.perf_counter()
        for _ in range(options.steps):
            model.train_function(iterator)
        return time.perf_counter() - started

    turn("memory")  # traces
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(options.rounds):
        for side in list(sides)[:: 1 if number % 2 else -1]:
            seconds[side].append(turn(side))
    images = options.steps * config.training.batch_size
    ratios = [m / p for p, m in zip(seconds["pipeline"], seconds["memory"], strict=True)]
    return {
        "images": "oxford_flowers102" if options.data_dir else "made up",
        "input_size": config.training.input_size or config.model.input_size,
        "throughput_ratio": round(statistics.median(ratios), 3),
        "images_per_second": {
            side: round(images / statistics.median(times), 1) for side, times in seconds.items()
        },
    }


if __name__ == "__main__":
    main()
