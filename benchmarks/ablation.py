"""What each loss does for retrieval: the same network, images, batches and budget, other losses.

Trains every variant with every seed, one after the other, and measures on the test split what each
has learned; then writes a table. Variants of one seed start from the same weights and see the same
batches (class-balanced, so that there are triplets), so their differences are paired. Nothing is
chosen on the test split: recipe and epoch are those that validation chose.

Each finished run is a line in the file `--results`, and an unfinished one goes on from its last
epoch: the command can be stopped and given again at any time. `--report` writes the table of all
that is finished.
"""

from __future__ import annotations

import argparse
import json
import pathlib
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
            key = (variant, seed, options.epochs, options.input_size)
            if key in done:
                continue
            overrides = [
                *RECIPE,
                f"training.epochs={options.epochs}",
                f"model.input_size={options.input_size}",
                f"training.seed={seed}",
                *VARIANTS[variant],
            ]
            print(f"{variant}, seed {seed} ...", file=sys.stderr, flush=True)
            result = run_variant(overrides, options.workdir, options.data_dir)
            line = {
                "variant": variant,
                "seed": seed,
                "epochs": options.epochs,
                "input_size": options.input_size,
                **result,
            }
            with open(results, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            done[key] = line
            print(json.dumps(line), flush=True)
    if options.report:
        rows = [row for key, row in done.items() if key[2:] == (options.epochs, options.input_size)]
        options.report.write_text(table(rows), "utf-8")


def read_results(path: pathlib.Path) -> dict[tuple[str, int, int, int], dict[str, Any]]:
    """Reads finished runs by variant, seed, epochs and input size."""
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {
        (line["variant"], line["seed"], line["epochs"], line["input_size"]): line for line in lines
    }


def run_variant(
    overrides: list[str], workdir: pathlib.Path, data_dir: str | None
) -> dict[str, float]:
    """Trains one variant, or goes on, and measures it on the test split."""
    import hashlib

    import keras

    from benchmarks.trainer_config import trainer_config
    from benchmarks.transformed_records import dataset_folder, write_records
    from trainer_module.checkpoints import CheckpointFolder
    from trainer_module.training import train

    keras.utils.clear_session()
    config = trainer_config("flowers102", *overrides)
    records = write_records(
        dataset_folder("oxford_flowers102", data_dir),
        workdir / "records",
        canonical_size=config.canonical_size,
        splits=("train", "validation", "test"),
    )
    name = hashlib.sha256(json.dumps(overrides).encode()).hexdigest()[:16]
    checkpoints = workdir / "checkpoints" / name
    started, cpu = time.monotonic(), time.process_time()
    result = train(
        config,
        train_patterns=records.patterns["train"],
        validation_patterns=records.patterns["validation"],
        class_counts=records.class_counts,
        checkpoint_folder=checkpoints,
        log_dir=str(workdir / "logs" / name),
    )
    seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu
    measured = measure_on_test(result.model, config, records.patterns)
    CheckpointFolder(checkpoints).clear()
    last = result.history[-1] if result.history else {}
    return {
        **measured,
        "validation_recall_at_1": last.get("val_recall_at_1", result.frozen["recall_at_1"]),
        "validation_map_at_r": last.get("val_map_at_r", result.frozen["map_at_r"]),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
    }


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
