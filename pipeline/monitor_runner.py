"""Runs the pipeline of `flowersim monitor` on this machine, and the retraining that may follow.

What retraining means: the run of the served model's settings, with its cache. It ingests what has
been added to the data since, and then trains, evaluates and pushes as any run does. Where the data
is the same, training again would give the same model, so everything is taken from the cache and
nothing is pushed twice: a monitor that is run every hour costs no training every hour, and says
that new photos are needed.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.index_runner import Workplace
from pipeline.local_runner import local_beam_args, run
from pipeline.settings import Settings

PRESET = "retraining"


def monitor(place: Workplace, files: Sequence[str], settings: Settings) -> dict[str, Any]:
    """Compares logged requests with what the served model was made for.

    Args:
        place: The workdir.
        files: Of the request log.
        settings: Of them, `monitoring` and `run.beam_args` count.

    Returns:
        The report's content, see `components/drift_monitor/report.py`.

    Raises:
        RunFailedError: The log cannot be read, or there is no image of the reference split.
    """
    from components.drift_monitor import report
    from components.drift_monitor.config import DriftConfig
    from components.drift_monitor.log_files import fingerprint
    from pipeline.lineage import latest_run
    from pipeline.monitor_pipeline import (
        DRIFT_MONITOR,
        SUFFIX,
        MonitorSources,
        RequestLogs,
        create_monitor_pipeline,
    )

    served, config = place.served, settings.monitoring
    embeddings = served.sources.embeddings
    if config.reference_split not in served.embedder.splits or not os.path.exists(embeddings or ""):
        embeddings = None
    name = f"{served.pipeline_name}{SUFFIX}"
    dag = create_monitor_pipeline(
        name,
        MonitorSources(served.pushed, served.sources.model, served.sources.examples, embeddings),
        RequestLogs(files, fingerprint(files)),
        model_folder=str(place.serving / str(served.version)),
        config=DriftConfig(**config.model_dump(exclude={"retrain"})),
        thumbnail_size=served.embedder.thumbnail_size,
        pipeline_root=str(place.root / "pipeline_root"),
        beam_args=local_beam_args(settings.run.beam_args),
        metadata_connection_config=place.metadata,
    )
    place.execute(dag, {})
    finished = latest_run(place.store, name)
    assert finished is not None, "a run that has just finished"
    path = os.path.join(finished.outputs[DRIFT_MONITOR, "report"].uri, report.FILE)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def retrain(settings: Settings, workdir: pathlib.Path, *, verbose: bool = False) -> list[str]:
    """Runs the pipeline; its progress and results are printed as those of any run.

    Args:
        settings: Those of the run whose model is served, perhaps with changes.
        workdir: Of that run.
        verbose: Print what libraries log in place of writing it to a file.

    Returns:
        What it came to, in lines for a person.

    Raises:
        RunFailedError: A component failed.
        WorkdirBusyError: Another run works in the workdir.
        PrepareError: The dataset cannot be brought in.
    """
    return outcome(run(settings, workdir, preset=PRESET, verbose=verbose).summary)


def outcome(summary: Mapping[str, Any]) -> list[str]:
    """Says what a retraining came to, from the summary of its run."""
    cached = {step["id"]: step["cached"] for step in summary["components"]}
    if cached.get("Trainer"):
        return [
            "retraining: data and settings are those of the last training, so nothing could be "
            "learnt anew",
            "put labelled photos of what is asked about now into the data, or change the settings",
        ]
    if summary["pushed_model"]:
        return [f"retraining: the new model is served as {summary['pushed_model']}"]
    return ["retraining: the new model is not pushed, and the old one still served"]
