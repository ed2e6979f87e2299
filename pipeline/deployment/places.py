"""Where a deployed pipeline reads and writes: a bucket folder that is laid out as a workdir."""

from __future__ import annotations

import os

from pipeline.settings import Settings
from pipeline.settings_loader import SettingsError

# Buckets that TensorFlow, Beam and the platforms' own launchers all can read and write.
_SCHEMES = ("gs://",)


def root(settings: Settings) -> str:
    """Returns the folder of all that a deployed pipeline reads and writes.

    Raises:
        SettingsError: It is not set, or of no kind that works.
    """
    given = settings.deployment.pipeline_root
    if not given:
        raise SettingsError(
            "deployment.pipeline_root is not set: it must be a folder that the pipeline's steps "
            "reach, for instance gs://BUCKET/flowersim"
        )
    if "://" in given:
        if not given.startswith(_SCHEMES):
            raise SettingsError(
                f"deployment.pipeline_root={given} is not allowed: TensorFlow and Beam read and "
                f"write {' and '.join(_SCHEMES)}, and local paths"
            )
        return given.rstrip("/")
    return os.path.abspath(os.path.expanduser(given))


def artifacts(root: str) -> str:
    """Returns the folder of the artifacts of all runs."""
    return os.path.join(root, "pipeline_root")


def checkpoints(root: str) -> str:
    """Returns the folder of interrupted trainings' state."""
    return os.path.join(root, "checkpoints")


def serving(root: str, model_name: str) -> str:
    """Returns the folder of a served model's versions."""
    return os.path.join(root, "serving", model_name)


def staged_data(root: str) -> str:
    """Returns the folder below which `flowersim prepare --stage` puts datasets."""
    return os.path.join(root, "data")


def staged_ledgers(root: str) -> str:
    """Returns the folder of the galleries' ledgers."""
    return os.path.join(root, "gallery")


def outcomes(root: str) -> str:
    """Returns the folder of the reports of how runs ended."""
    return os.path.join(root, "outcomes")


def baseline_record(root: str, pipeline_name: str) -> str:
    """Returns the file that remembers the model last blessed where there is no resolver."""
    return os.path.join(root, "blessed_model", f"{pipeline_name}.json")
