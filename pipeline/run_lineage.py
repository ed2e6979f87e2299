"""What the components of a run on disk wrote, and with which code, from ML Metadata.

Opens the store that the run's own settings name, for reading only. How TFX lays a run out in it is
in `lineage.py`, which runs there are in `run_records.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.metadata_store import connection_config, is_empty, open_store
from pipeline.run_records import RunRecord, settings_of

if TYPE_CHECKING:
    from pipeline.lineage import Output, Run


class LineageError(OSError):
    """What ML Metadata should know of a run is not there; the message names run and store."""


def outputs_of(record: RunRecord) -> Run:
    """Returns what a run's components wrote; whether the files are still there is not looked at.

    Raises:
        LineageError: The store is gone, or does not have the run.
        RunNotFoundError: The run's settings were not kept.
        SettingsError: They cannot be used, or the database cannot be reached.
    """
    from pipeline.lineage import read_run

    store, pipeline_name = _opened(record)
    run = read_run(store, pipeline_name, record.summary["run_id"])
    if run is None:
        raise LineageError(
            f"run {record.name} in {record.workdir} is not in ML Metadata: the store knows no run "
            f"{record.summary['run_id']} of the pipeline {pipeline_name}; it was perhaps deleted "
            "and begun anew"
        )
    return run


def code_of(record: RunRecord) -> dict[str, str]:
    """Returns the digests of the code of a run's components, by component id.

    Raises:
        LineageError: The store is gone.
        RunNotFoundError: The run's settings were not kept.
        SettingsError: They cannot be used, or the database cannot be reached.
    """
    from pipeline.lineage import read_code

    store, pipeline_name = _opened(record)
    return read_code(store, pipeline_name, record.summary["run_id"])


def artifact_of(record: RunRecord, run: Run, component: str, key: str) -> Output:
    """Returns an artifact that a run has and whose files are there.

    Args:
        record: The run.
        run: Its outputs.
        component: Id of the component that wrote it.
        key: Of the component's output.

    Raises:
        LineageError: The component did not finish in this run, or its files are gone.
    """
    import tensorflow as tf

    output = run.outputs.get((component, key))
    if output is None:
        raise LineageError(
            f"run {record.name} in {record.workdir} has no {key}: {component} did not finish in it"
        )
    if not tf.io.gfile.exists(output.uri):
        raise LineageError(
            f"the {key} of run {record.name} in {record.workdir} are gone: {component} wrote them "
            f"to {output.uri}, which was deleted or moved since"
        )
    return output


def _opened(record: RunRecord) -> tuple[Any, str]:
    """The store of a run, and the pipeline's name in it."""
    settings = settings_of(record).run
    if not record.summary.get("run_id"):
        raise LineageError(
            f"run {record.name} in {record.workdir} ended ({record.summary['status']}) before its "
            "first component had begun"
        )
    if is_empty(record.workdir, settings.metadata):
        raise LineageError(
            f"the ML Metadata store of run {record.name} is gone: there is no metadata.sqlite in "
            f"{record.workdir}"
        )
    config = connection_config(record.workdir, settings.metadata)
    if config.WhichOneof("config") == "sqlite":
        from ml_metadata.proto import metadata_store_pb2

        # A run may be going on in the workdir, or the disk be read-only.
        config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READONLY
    return open_store(config), settings.pipeline_name
