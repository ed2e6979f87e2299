"""The Trainer component's entry point: from TFX's arguments to a training, and to an export."""

from __future__ import annotations

import hashlib
import json
import os

import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from trainer_module.checkpoints import CheckpointFolder
from trainer_module.config import TrainerConfig, from_dict
from trainer_module.export import export
from trainer_module.preprocessing import class_counts
from trainer_module.progress_log import report
from trainer_module.training import train

CONFIG_KEY = "config"
CODE_KEY = "code"
CHECKPOINTS_KEY = "checkpoints"
HISTORY_FILE = "history.json"


def run_fn(fn_args: FnArgs) -> None:
    """Trains as `fn_args.custom_config` says and writes the SavedModel and the history.

    Args:
        fn_args: TFX's arguments. `custom_config` holds `config` (a `TrainerConfig` as a mapping),
            `code` (digest of the code) and `checkpoints` (folder for interrupted trainings).
    """
    custom = fn_args.custom_config
    config = from_dict(TrainerConfig, custom[CONFIG_KEY])
    counts = class_counts(tft.TFTransformOutput(fn_args.transform_output))
    checkpoint_folder = os.path.join(custom[CHECKPOINTS_KEY], _training_key(fn_args))
    result = train(
        config,
        train_patterns=fn_args.train_files,
        validation_patterns=fn_args.eval_files,
        class_counts=list(counts.values()),
        checkpoint_folder=checkpoint_folder,
        log_dir=os.path.join(fn_args.model_run_dir, "tensorboard"),
    )
    report("exporting the model")
    export(
        result.model,
        fn_args.serving_model_dir,
        canonical_size=config.canonical_size,
        input_size=config.model.input_size,
        class_names=list(counts),
    )
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, HISTORY_FILE), "w") as file:
        record = {
            "frozen": result.frozen,
            "best_epoch": result.best_epoch,
            "epochs": result.history,
        }
        json.dump(record, file, indent=1)
    CheckpointFolder(checkpoint_folder).clear()


def _training_key(fn_args: FnArgs) -> str:
    """Names the training by all that shapes its result: settings, code, and the data's artifact."""
    identity = {
        "custom": fn_args.custom_config,
        "train": sorted(fn_args.train_files),
        "validation": sorted(fn_args.eval_files),
        "transform": fn_args.transform_output,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
