"""Refuses a folder of results whose metadata store is not the one they were made with.

TFX names the folders of results by the number of the execution, counted by the store. With a new or
an older store it begins to count where there are folders already, and writes new files among the
old ones: two datasets in one folder, and nobody told.
"""

from __future__ import annotations

import os
import pathlib
from typing import Any

from pipeline.metadata_store import MetadataStoreError, open_store, store_name


def open_store_of(pipeline_root: pathlib.Path, config: Any) -> Any:
    """Opens the metadata store of a folder of results.

    Args:
        pipeline_root: Where results go, `NODE/OUTPUT/NUMBER`; need not exist.
        config: Of `connection_config`. A file that is not there is made, unless it is missed.

    Returns:
        The `ml_metadata.MetadataStore`.

    Raises:
        SettingsError: The database cannot be reached, or refuses the user.
        MetadataStoreError: The store cannot be used, or there is a result of a number that it has
            not come to.
    """
    numbers = [int(path.name) for path in pipeline_root.glob("*/*/*") if path.name.isdigit()]
    if numbers and _is_missing(config):
        raise _orphaned(pipeline_root, max(numbers), f"{store_name(config)} is not there")
    store = open_store(config)
    last = _last_execution(store)
    if numbers and max(numbers) > last:
        has = f"no execution after {last}" if last else "none"
        raise _orphaned(pipeline_root, max(numbers), f"{store_name(config)} has {has}")
    return store


def _is_missing(config: Any) -> bool:
    is_file = config.WhichOneof("config") == "sqlite"
    return is_file and not os.path.exists(config.sqlite.filename_uri)


def _last_execution(store: Any) -> int:
    import ml_metadata as mlmd

    newest = mlmd.ListOptions(limit=1, order_by=mlmd.OrderByField.ID, is_asc=False)
    known = store.get_executions(list_options=newest)
    return known[0].id if known else 0


def _orphaned(pipeline_root: pathlib.Path, number: int, store: str) -> MetadataStoreError:
    return MetadataStoreError(
        f"{pipeline_root} holds results up to execution {number}, and the metadata store {store}: "
        "put the one back that they were made with, or move this folder away. New results must not "
        "be mixed with old ones. Pushed models, summaries and reports are kept"
    )
