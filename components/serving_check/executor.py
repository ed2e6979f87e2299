"""The work of ServingCheck: stage what would be pushed, have it checked, write the blessing.

The blessing is what TFX's own InfraValidator writes: the custom properties `blessed` and
`has_model`, a file of the same meaning, and, in a blessed one, the model with warm-up records and
its digest, for a Pusher to take from there.
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any

from absl import logging
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.pusher import digests
from components.serving_check.answers import check_signatures
from components.serving_check.check import check
from components.serving_check.config import CheckFailedError, ServingCheckConfig
from components.serving_check.direct_model import DirectModel
from components.serving_check.photos import read_photos
from components.serving_check.report import FILE, LOG_FILE, Report
from components.serving_check.warmup import write_warmup
from trainer_module.progress_log import report as say

BLESSED_FILE = "INFRA_BLESSED"
NOT_BLESSED_FILE = "INFRA_NOT_BLESSED"


class Executor(base_executor.BaseExecutor):
    """Executor of `ServingCheck`."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the blessing and the report; a model that fails is no error.

        Raises:
            ValueError: The data lacks the splits of the gallery.
        """
        config = ServingCheckConfig(**json.loads(exec_properties["config"]))
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        model = artifact_utils.get_single_instance(input_dict["model"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])

        staged = path_utils.stamped_model_path(blessing.uri)
        report = Report()
        with tempfile.TemporaryDirectory(prefix="serving-check-") as scratch:
            log = os.path.join(scratch, LOG_FILE)
            version = _stage(path_utils.serving_model_path(model.uri), staged, scratch)
            try:
                _check(version, examples, config, log, report)
            except CheckFailedError as error:
                report.reason = str(error)
            if os.path.exists(log):
                io_utils.copy_file(log, os.path.join(blessing.uri, LOG_FILE), overwrite=True)
            if report.is_ok:
                digests.store(version, digests.compute(version))
                if "://" in staged:
                    io_utils.copy_dir(version, staged)
            elif "://" not in staged:
                fileio.rmtree(staged)
        io_utils.write_string_file(os.path.join(blessing.uri, FILE), report.dumps())
        _mark(blessing, report)
        _tell(report)


def _stage(model_folder: str, staged: str, scratch: str) -> str:
    """Copies the model to where it may be changed, and returns it as a version on this machine.

    Args:
        model_folder: What SimilarityIndexer wrote.
        staged: Where it belongs in the blessing.
        scratch: A folder on this machine. A server watches a folder of versions: here that has the
            staged model, or, where that is to be in a bucket, the only copy until it has passed.
    """
    version = os.path.join(scratch, "versions", "1")
    if "://" in staged:
        io_utils.copy_dir(model_folder, version)
    else:
        io_utils.copy_dir(model_folder, staged)
        os.makedirs(os.path.dirname(version))
        os.symlink(os.path.abspath(staged), version, target_is_directory=True)
    return version


def _check(
    version: str, examples: Any, config: ServingCheckConfig, log: str, report: Report
) -> None:
    """Completes the staged model with warm-up records, and checks what would be pushed."""
    say("loading the model")
    direct = DirectModel(version)
    check_signatures(direct.signatures())
    photos = read_photos(examples, config.gallery_splits, config.examples, direct.knows)
    of_gallery = [photo.image for photo in photos if photo.in_gallery]
    report.photos, report.gallery_photos = len(photos), len(of_gallery)
    if of_gallery:
        say("writing warm-up records")
        # Of what the model has anyway: what was removed from the gallery is not to come back.
        write_warmup(version, config.model_name, of_gallery, config.warmup_batch_sizes)
    else:
        logging.warning(
            "No photo of the splits %s is in the gallery, so the model has no warm-up records, and "
            "is not asked for photos that it must find.",
            ", ".join(config.gallery_splits),
        )
    check(os.path.dirname(version), direct, photos, config, log, report)


def _mark(blessing: Any, report: Report) -> None:
    name = BLESSED_FILE if report.is_ok else NOT_BLESSED_FILE
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
    blessing.set_int_custom_property("blessed", int(report.is_ok))
    if report.is_ok:
        blessing.set_int_custom_property("has_model", 1)


def _tell(report: Report) -> None:
    if not report.is_ok:
        logging.error("Not pushed, since the model failed the serving check: %s", report.reason)
    if report.latency is not None:
        memory = report.peak_memory_mb
        logging.info(
            "The server answers in %.1f ms (median; %.1f ms at the 95th percentile) and takes %s.",
            report.latency.median_ms,
            report.latency.p95_ms,
            "unknown memory" if memory is None else f"{memory:.0f} MB",
        )
