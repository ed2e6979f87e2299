"""What each loss does for retrieval: the same network, images, batches and budget, other losses.

Trains every variant with every seed, one after the other, and measures on the test split what each
has learned; then writes a table. Variants of one seed start from the same weights and see the same
batches (class-balanced, so that there are triplets), so their differences are paired. Nothing is
chosen on the test split: recipe and epoch are those that validation chose.

Each finished run is a line in the file `--results`, and an unfinished one goes on from its last
epoch: the command can be stopped and given again at any time. A run counts as finished only for the
settings and the code it was made with. `--report` writes the table of all
that is finished.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import shutil
import sys
import time
from typing import Any

# On top of RECIPE. Cross-entropy has the cosine head in all but `plain`.
VARIANTS: dict[str, list[str]] = {
    "frozen": ["training.epochs=0", "model.embedding_dim=0"],
    "plain": ["training.center_loss.weight=0", "model.head=linear"],
    "cross-entropy": ["training.center_loss.weight=0"],
    "+ center": [],
    "triplet": [
        "training.cross_entropy_weight=0",
        "training.center_loss.weight=0",
        "training.triplet.weight=1",
    ],
    "cross-entropy + triplet": ["training.center_loss.weight=0", "training.triplet.weight=1"],
    "cross-entropy + triplet + center": ["training.triplet.weight=1"],
}
RECIPE = [
    "model.backbone=efficientnet_lite0",
    "model.mirror_average=false",
    "training.input_size=null",
    "training.batch_size=32",
    "training.images_per_class=4",
]
METRICS = ("recall_at_1", "map_at_r", "accuracy", "nearest_train_accuracy", "intra_inter")


def main() -> None:
    """Parses the command line, runs what is missing, and writes the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", help="TFDS folder that holds the prepared oxford_flowers102")
    parser.add_argument("--workdir", type=pathlib.Path, default=pathlib.Path("runs/ablation"))
    parser.add_argument(
        "--results",
        type=pathlib.Path,
        default=pathlib.Path(__file__).parent / "results" / "ablation.jsonl",
        help="a line of JSON for each finished run (%(default)s)",
    )
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (%(default)s)")
    parser.add_argument("--epochs", type=int, default=14, help="of every run (%(default)s)")
    parser.add_argument("--input-size", type=int, default=128, help="pixels (%(default)s)")
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=VARIANTS,
        default=list(VARIANTS),
        metavar="VARIANT",
        help=f"some of: {', '.join(VARIANTS)}",
    )
    parser.add_argument("--report", type=pathlib.Path, help="Markdown file for the table")
    options = parser.parse_args()
    options.workdir.mkdir(parents=True, exist_ok=True)
    results = options.results
    results.parent.mkdir(parents=True, exist_ok=True)
    done = read_results(results)
    for seed in range(options.seeds):
        for variant in options.variants:
            overrides = [
                *RECIPE,
                f"training.epochs={options.epochs}",
                f"model.input_size={options.input_size}",
                f"training.seed={seed}",
                *VARIANTS[variant],
            ]
            digest = digest_of(overrides)
            key = (variant, seed, digest)
            if key in done:
                continue
            print(f"{variant}, seed {seed} ...", file=sys.stderr, flush=True)
            folder = options.workdir / digest
            line = {
                "variant": variant,
                "seed": seed,
                "digest": digest,
                "epochs": options.epochs,
                "input_size": options.input_size,
                **run_variant(overrides, options.workdir / "records", folder, options.data_dir),
            }
            with open(results, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            shutil.rmtree(folder, ignore_errors=True)
            done[key] = line
            print(json.dumps(line), flush=True)
    if options.report:
        shape = (options.epochs, options.input_size)
        rows = [row for row in done.values() if (row["epochs"], row["input_size"]) == shape]
        options.report.write_text(table(rows), "utf-8")


def digest_of(overrides: list[str]) -> str:
    """Names what decides a run's result: its settings and the code that trains."""
    import hashlib

    from benchmarks.trainer_config import trainer_config
    from pipeline.code_hash import code_hash

    config = trainer_config("flowers102", *overrides)
    text = f"{config!r} {code_hash('trainer_module.training')}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_results(path: pathlib.Path) -> dict[tuple[str, int, str], dict[str, Any]]:
    """Reads finished runs by variant, seed and digest, see `digest_of`."""
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {(line["variant"], line["seed"], line["digest"]): line for line in lines}


def run_variant(
    overrides: list[str], records_folder: pathlib.Path, folder: pathlib.Path, data_dir: str | None
) -> dict[str, Any]:
    """Trains one variant, or goes on, and measures it on the test split.

    A training that diverges is a result too: its metrics are NaN, and `error` says why.
    """
    import keras

    from benchmarks.trainer_config import trainer_config
    from benchmarks.transformed_records import dataset_folder, write_records
    from trainer_module.health import TrainingDivergedError
    from trainer_module.training import train

    keras.utils.clear_session()
    config = trainer_config("flowers102", *overrides)
    records = write_records(
        dataset_folder("oxford_flowers102", data_dir),
        records_folder,
        canonical_size=config.canonical_size,
        splits=("train", "validation", "test"),
    )
    clock = Clock(folder)
    try:
        with clock:
            result = train(
                config,
                train_patterns=records.patterns["train"],
                validation_patterns=records.patterns["validation"],
                class_counts=records.class_counts,
                checkpoint_folder=folder / "checkpoints",
                log_dir=str(folder / "logs"),
            )
    except TrainingDivergedError as error:
        return {**dict.fromkeys(METRICS, float("nan")), **clock.read(), "error": str(error)}
    chosen = result.history[result.best_epoch - 1] if result.best_epoch else {}
    return {
        **measure_on_test(result.model, config, records.patterns),
        "validation_recall_at_1": chosen.get("val_recall_at_1", result.frozen["recall_at_1"]),
        "validation_map_at_r": chosen.get("val_map_at_r", result.frozen["map_at_r"]),
        "best_epoch": result.best_epoch,
        **clock.read(),
    }


class Clock:
    """Adds up the time of a training over its interruptions, in a file beside its checkpoints."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Opens the folder's clock, or starts one."""
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "clock.json"

    def read(self) -> dict[str, float]:
        """Returns `seconds` and `cpu_seconds` so far."""
        if not self._file.exists():
            return {"seconds": 0.0, "cpu_seconds": 0.0}
        return json.loads(self._file.read_text("utf-8"))

    def __enter__(self) -> None:
        """Starts counting."""
        self._started, self._cpu = time.monotonic(), time.process_time()

    def __exit__(self, *_: Any) -> None:
        """Stops counting, also at an error or Ctrl-C; a killed process's time is lost."""
        before = self.read()
        spent = {
            "seconds": round(before["seconds"] + time.monotonic() - self._started, 1),
            "cpu_seconds": round(before["cpu_seconds"] + time.process_time() - self._cpu, 1),
        }
        self._file.write_text(json.dumps(spent), "utf-8")


def measure_on_test(model: Any, config: Any, patterns: dict[str, list[str]]) -> dict[str, float]:
    """Leave-one-out retrieval, accuracies and class separation on the test split."""
    import numpy as np
    import tensorflow as tf

    from retrieval.metrics import retrieval_metrics
    from retrieval.search import top_k
    from retrieval.separation import class_separation
    from trainer_module.input_pipeline import evaluation_batches
    from trainer_module.validation import embed_all

    embed = tf.function(model.served_features)
    embedded = {
        split: embed_all(
            embed, evaluation_batches(patterns[split], input_size=config.model.input_size)
        )
        for split in ("train", "test")
    }
    features, labels = embedded["test"]
    metrics = retrieval_metrics(features, labels, ks=(1,))
    _, nearest = top_k(features, embedded["train"][0], 1)
    trained = bool(config.training.epochs and config.training.cross_entropy_weight)
    logits = np.asarray(model.head(features))
    return {
        "recall_at_1": metrics["recall_at_1"],
        "map_at_r": metrics["map_at_r"],
        "accuracy": float((logits.argmax(axis=1) == labels).mean()) if trained else float("nan"),
        "nearest_train_accuracy": float((embedded["train"][1][nearest[:, 0]] == labels).mean()),
        "intra_inter": class_separation(features, labels)["intra_inter"],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Mean and spread of each variant, and its paired difference to cross-entropy, in Markdown."""
    import numpy as np

    by_variant: dict[str, dict[int, dict[str, Any]]] = {}
    for row in rows:
        by_variant.setdefault(row["variant"], {})[row["seed"]] = row
    titles = ("recall@1", "MAP@R", "accuracy", "1-NN accuracy", "intra/inter")
    lines = [
        f"| variant | seeds | {' | '.join(titles)} | minutes of CPU |",
        "|---|---|" + "---|" * (len(titles) + 1),
    ]

    def cell(values: Any, sign: str = "") -> str:
        if np.isnan(values).any():
            return "–"
        spread = f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else ""
        return f"{values.mean():{sign}.3f}{spread}"

    for variant in (name for name in VARIANTS if name in by_variant):
        runs = by_variant[variant]
        cells = [cell(np.array([run[m] for run in runs.values()])) for m in METRICS]
        minutes = np.mean([run["cpu_seconds"] for run in runs.values()]) / 60
        lines.append(f"| {variant} | {len(runs)} | {' | '.join(cells)} | {minutes:.1f} |")
    lines += [
        "",
        "Difference to cross-entropy with the same seed:",
        "",
        f"| variant | seeds | {' | '.join(titles)} |",
        "|---|---|" + "---|" * len(titles),
    ]
    base = by_variant.get("cross-entropy", {})
    for variant in (name for name in VARIANTS if name in by_variant and name != "cross-entropy"):
        seeds = sorted(set(by_variant[variant]) & set(base))
        if seeds:
            cells = [
                cell(np.array([by_variant[variant][s][m] - base[s][m] for s in seeds]), "+")
                for m in METRICS
            ]
            lines.append(f"| {variant} | {len(seeds)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
