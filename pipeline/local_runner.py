"""Runs the pipeline on this machine: prepare the data, execute the DAG, sum up.

The pipeline that only indexes has a runner of its own, `index_runner.py`. What is printed is
decided in `progress.py` and `summary.py`.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.damaged_results import blame
from pipeline.disk_space import full_disk_told
from pipeline.metadata_store import connection_config, is_empty
from pipeline.orphaned_results import open_store_of
from pipeline.prepare import data_place, prepare
from pipeline.run_failure import RunFailedError, explain, in_a_line, on_record
from pipeline.run_folder import RunFolder
from pipeline.run_log import run_log
from pipeline.settings import Settings
from pipeline.settings_loader import SettingsError
from pipeline.workdir_folder import writable_workdir
from pipeline.workdir_lock import locked


@dataclasses.dataclass(frozen=True)
class RunResult:
    """A finished run.

    Attributes:
        summary: The content of `summary.json`.
        summary_path: That file.
        dataset: The prepared dataset it ran on.
        log: What libraries had to say.
    """

    summary: dict[str, Any]
    summary_path: pathlib.Path
    dataset: str
    log: pathlib.Path


def run(
    settings: Settings,
    workdir: str | os.PathLike[str],
    *,
    preset: str = "custom",
    first: str | None = None,
    last: str | None = None,
    verbose: bool = False,
) -> RunResult:
    """Runs the DAG or a part of it; unchanged components' results are taken from earlier runs.

    Args:
        settings: All knobs.
        workdir: Folder of everything that runs write; made if it does not exist.
        preset: Name for the summary.
        first: Component to start from, with the latest run's results of all that comes before;
            None to start at the beginning.
        last: Component to end with; None to go on to the end.
        verbose: Print what libraries log in place of writing it to a file.

    Returns:
        The summary; a model that was not blessed is a result, no error.

    Raises:
        SettingsError: There is no component `first` or `last`, or nothing between them, or nothing
            that came before `first`.
        WorkdirError: The workdir cannot be written to.
        WorkdirBusyError: Another run works in the workdir.
        MetadataStoreError: The store is damaged, or not the one that the workdir's results are of.
        PrepareError: The dataset cannot be brought in.
        RunFailedError: A component failed.
        DiskFullError: A disk is full before the first component, or at the end.
    """
    root = writable_workdir(workdir)
    started = time.monotonic()
    folder = RunFolder.begin(root)
    log = root / "logs" / f"run-{folder.name}.log"
    with (
        full_disk_told(root, data_place(settings.data, root), but=RunFailedError),
        locked(root),
        run_log(log, verbose=verbose) as console,
    ):
        console.print(f"flowersim {preset} in {root}", soft_wrap=True, markup=False)
        if not verbose:
            console.print(f"log  {log}", soft_wrap=True, markup=False)
        return _run(settings, folder, preset, (first, last), started, console, log)


def _run(
    settings: Settings,
    folder: RunFolder,
    preset: str,
    part: tuple[str | None, str | None],
    started: float,
    console: Any,
    log: pathlib.Path,
) -> RunResult:
    root = folder.workdir
    if part[0] and is_empty(root, settings.run.metadata):
        raise SettingsError(
            f"--from {part[0]} takes what comes before it from an earlier run, and there was none "
            f"in {root}: run without --from"
        )
    with console.status("preparing the data"):
        data = prepare(settings.data, root)
    console.print(
        f"data  {settings.data.folder or settings.data.dataset}: {len(data.class_names)} classes; "
        + ", ".join(f"{count} {split}" for split, count in data.split_sizes.items()),
        markup=False,
    )

    # Heavy, so imported when the cheap mistakes are past.
    with console.status("loading TFX"):
        from tfx import v1 as tfx

        from pipeline.lineage import artifact_folders, latest_run
        from pipeline.partial_run import select
        from pipeline.pipeline import create_pipeline
        from pipeline.places import places_in
        from pipeline.progress import ProgressHandler
        from pipeline.report_context import environment
        from pipeline.saved_settings import save_settings
        from pipeline.summary import build_summary, print_summary

    metadata = connection_config(root, settings.run.metadata)
    store = open_store_of(root / "pipeline_root", metadata)
    places = places_in(
        str(root), settings.serving.model_name, dataset=data.folder, schema=data.schema_path
    )
    dag = create_pipeline(
        settings,
        places,
        beam_args=local_beam_args(settings.run.beam_args),
        metadata_connection_config=metadata,
    )
    names, options = select(dag, *part)
    before = latest_run(store, settings.run.pipeline_name)
    status, error = "failed", None
    progress = ProgressHandler(console, names, _images(settings, data.split_sizes))
    try:
        with progress:
            tfx.orchestration.LocalDagRunner().run(dag, options)
        status = "succeeded"
    except KeyboardInterrupt:
        status, error = "interrupted", "interrupted"
        raise
    except Exception as failure:
        component = progress.running.id if progress.running else "the pipeline"
        cause = blame(
            failure,
            lambda: artifact_folders(latest_run(store, settings.run.pipeline_name)),
            "the same command" + (" without --from" if part[0] else ""),
        )
        error = in_a_line(component, cause, root)
        raise RunFailedError(explain(component, cause, log, root, first=part[0])) from cause
    finally:
        with on_record(status, folder, console):
            recorded = latest_run(store, settings.run.pipeline_name)
            if recorded and before and recorded.id == before.id:
                # This one ended before TFX had it on record: the results are another's.
                recorded = None
            summary = build_summary(
                about={
                    "name": folder.name,
                    "started": folder.started.isoformat(timespec="seconds"),
                    "dataset": data.folder,
                    "environment": environment(),
                },
                preset=preset,
                status=status,
                steps=progress.steps,
                run=recorded,
                split_sizes=data.split_sizes,
                seconds=time.monotonic() - started,
                leave_out=settings.evaluation.near_duplicates == "leave_out",
                error=error,
            )
            path = folder.close(settings, summary, recorded, console)
            if status == "failed" and summary["report"]:
                console.print(f"report   {summary['report']}", soft_wrap=True, markup=False)
    if summary["pushed_model"]:
        save_settings(root, settings)
    print_summary(summary, console)
    console.print(f"summary  {path}", soft_wrap=True, markup=False)
    return RunResult(summary, path, data.folder, log)


def _images(settings: Settings, split_sizes: Mapping[str, int]) -> dict[str, int]:
    """How many images the components work on that report their progress."""
    return {
        "TfdsExampleGen": sum(split_sizes.values()),
        "Transform": split_sizes["train"] + split_sizes["validation"],
        "Evaluator": split_sizes["validation"],
        "TestEvaluator": split_sizes["test"],
        "ImageEmbedder": sum(split_sizes[split] for split in settings.embedded_splits),
        "LeakCheck": split_sizes["validation"] + split_sizes["test"],
    }


def local_beam_args(given: Sequence[str]) -> list[str]:
    """Arguments for Beam, without the packing of TFX that workers on this machine do not need.

    TFX packs its own sources for each component that uses Beam (1.5 s each) unless the workers'
    environment is named. FnApiRunner's workers ignore the name: they run in this one.
    """
    if "--runner=FnApiRunner" not in given:
        return list(given)
    return [*given, "--sdk_container_image=this-environment"]
