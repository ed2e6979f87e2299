"""Trains variants of a recipe on Oxford Flowers 102 with several seeds, and tells them apart.

What `ablation.py` and `peers.py` share: running what is missing, and measuring it on the test
split. Each finished run is a line in a file of results, and an unfinished one goes on from
its last epoch, so that a command can be stopped and given again at any time. A run counts as
finished only for the settings and the training code it was made with.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import pathlib
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from benchmarks.comparison_table import METRICS, table

# A smaller network and a shorter training than the preset's, and so less against overfitting;
# images are compared by what the losses see.
RECIPE = [
    "model.backbone=efficientnet_lite0",
    "model.compared_layer=embedding",
    "model.mirror_average=false",
    "model.dropout=0.2",
    "training.drop_path=0",
    "training.frozen_blocks=5",
    "training.input_size=null",
    "training.batch_size=32",
    "training.images_per_class=4",
]


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way to train.

    Attributes:
        settings: Overrides on top of `RECIPE`.
        make_loss: In place of `JointLoss`, a subclass or what makes one.
        has_classifier: Whether the classification head is trained.
    """

    settings: tuple[str, ...] = ()
    make_loss: Callable[..., Any] | None = None
    has_classifier: bool = True


def parse_options(description: str, names: Sequence[str]) -> argparse.Namespace:
    """Parses the command line of a comparison of the named variants."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", help="TFDS folder that holds the prepared oxford_flowers102")
    parser.add_argument("--workdir", type=pathlib.Path, default=pathlib.Path("runs/ablation"))
    parser.add_argument(
        "--results",
        type=pathlib.Path,
        default=pathlib.Path(__file__).parent / "results" / "ablation.jsonl",
        help="a line of JSON for each finished run (%(default)s)",
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], help="(default: %(default)s)"
    )
    parser.add_argument("--epochs", type=int, default=14, help="of every run (%(default)s)")
    parser.add_argument("--input-size", type=int, default=128, help="pixels (%(default)s)")
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=names,
        default=list(names),
        metavar="VARIANT",
        help=f"some of: {', '.join(names)}",
    )
    parser.add_argument("--report", type=pathlib.Path, help="Markdown file for the table")
    parser.add_argument(
        "--no-training",
        action="store_true",
        help="write the report from the newest runs with these settings, whatever code made them",
    )
    return parser.parse_args()


def run_missing(
    options: argparse.Namespace, variants: dict[str, Variant], *, base: str, introduction: str
) -> None:
    """Runs what is not in the results yet, and writes the report.

    Args:
        options: Of `parse_options`.
        variants: By name, all that there are.
        base: The one the table gives the others' differences to.
        introduction: What stands above the table; `{epochs}` and `{input_size}` are filled in.
    """
    for folder in (options.workdir, options.results.parent):
        folder.mkdir(parents=True, exist_ok=True)
    done = read_results(options.results)
    code = "any" if options.no_training else training_code()
    rows = []
    for seed in options.seeds:
        for name in options.variants:
            overrides = [
                *RECIPE,
                f"training.epochs={options.epochs}",
                f"model.input_size={options.input_size}",
                f"training.seed={seed}",
                *variants[name].settings,
            ]
            key = Key(name, seed, settings_digest(overrides), code)
            if key not in done and not options.no_training:
                done[key] = _run(options, variants[name], key, overrides)
            rows += [done[key]] if key in done else []
    if options.report:
        head = introduction.format(epochs=options.epochs, input_size=options.input_size)
        options.report.write_text(f"{head}\n{table(rows, options.variants, base)}", "utf-8")


def _run(
    options: argparse.Namespace, variant: Variant, key: Key, overrides: list[str]
) -> dict[str, Any]:
    """Runs a variant and adds the result to the file of results."""
    print(f"{key.variant}, seed {key.seed} ...", file=sys.stderr, flush=True)
    name = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
    folder = options.workdir / name
    line = {
        **key._asdict(),
        "epochs": options.epochs,
        "input_size": options.input_size,
        **run_variant(variant, overrides, options.workdir / "records", folder, options.data_dir),
    }
    with open(options.results, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(line), flush=True)
    return line


class Key(NamedTuple):
    """What a result is kept under.

    Attributes:
        variant: Its name.
        seed: Of the training.
        settings: See `settings_digest`.
        code: See `training_code`.
    """

    variant: str
    seed: int
    settings: str
    code: str


def settings_digest(overrides: list[str]) -> str:
    """Names the settings of a run."""
    from benchmarks.trainer_config import trainer_config

    config = trainer_config("flowers102", *overrides)
    return hashlib.sha256(repr(config).encode()).hexdigest()[:16]


def training_code() -> str:
    """Names the code that trains. What only measures, `retrieval`, is no part of it."""
    from pipeline.code_hash import closure

    digest = hashlib.sha256()
    for name, path in sorted(closure("trainer_module.training").items()):
        if name.startswith("trainer_module"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def read_results(path: pathlib.Path) -> dict[Key, dict[str, Any]]:
    """Reads finished runs; the newest with the same settings is also under the code `any`."""
    if not path.exists():
        return {}
    found = {}
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        key = Key(*(row[name] for name in Key._fields))
        found[key] = found[key._replace(code="any")] = row
    return found


def run_variant(
    variant: Variant,
    overrides: list[str],
    records_folder: pathlib.Path,
    folder: pathlib.Path,
    data_dir: str | None,
) -> dict[str, Any]:
    """Trains one variant, or goes on, and measures it on the test split.

    A training that diverges is a result too: its metrics are NaN, and `error` says why.
    """
    import keras

    from benchmarks.trainer_config import trainer_config
    from benchmarks.transformed_records import dataset_folder, write_records
    from trainer_module.health import TrainingDivergedError
    from trainer_module.joint_loss import JointLoss
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
                make_loss=variant.make_loss or JointLoss,
            )
    except TrainingDivergedError as error:
        return {**dict.fromkeys(METRICS, float("nan")), **clock.read(), "error": str(error)}
    chosen = result.history[result.best_epoch - 1] if result.best_epoch else {}
    return {
        **measure_on_test(result.model, config, records.patterns, variant.has_classifier),
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


def measure_on_test(
    model: Any, config: Any, patterns: dict[str, list[str]], has_classifier: bool
) -> dict[str, float]:
    """Leave-one-out retrieval, accuracies and class separation on the test split."""
    import numpy as np
    import tensorflow as tf

    from retrieval.metrics import retrieval_metrics
    from retrieval.search import top_k
    from retrieval.separation import class_separation
    from trainer_module.input_pipeline import evaluation_batches
    from trainer_module.validation import embed_all

    @tf.function
    def use(images: Any) -> Any:
        result = model.in_use(images)
        return tf.concat([result["features"], result["logits"]], axis=1)

    embedded, logits = {}, {}
    for split in ("train", "test"):
        batches = evaluation_batches(patterns[split], input_size=config.model.input_size)
        both, labels = embed_all(use, batches)
        features, logits[split] = np.split(
            both, [-model.joint_loss.center_loss.centers.shape[0]], axis=1
        )
        embedded[split] = features, labels
    features, labels = embedded["test"]
    metrics = retrieval_metrics(features, labels, ks=(1,))
    _, nearest = top_k(features, embedded["train"][0], 1)
    accuracy = (
        float((logits["test"].argmax(axis=1) == labels).mean()) if has_classifier else float("nan")
    )
    return {
        "recall_at_1": metrics["recall_at_1"],
        "map_at_r": metrics["map_at_r"],
        "accuracy": accuracy,
        "nearest_train_accuracy": float((embedded["train"][1][nearest[:, 0]] == labels).mean()),
        "intra_inter": class_separation(features, labels)["intra_inter"],
    }
