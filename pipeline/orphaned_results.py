"""Refuses a folder of results whose metadata store is not the one they were made with.

TFX names the folders of results by the number of the execution, counted by the store. With a new or
an older store it begins to count where there are folders already, and writes new files among the
old ones: two datasets in one folder, and nobody told.
"""

from __future__ import annotations

import pathlib
from typing import Any

from pipeline.metadata_store import MetadataStoreError


def refuse_orphans(store: Any, pipeline_root: pathlib.Path) -> None:
    """Compares the numbers of results with those of the store's executions.

    Args:
        store: The `ml_metadata.MetadataStore` of the run to come.
        pipeline_root: Where its results go, `NODE/OUTPUT/NUMBER`; need not exist.

    Raises:
        MetadataStoreError: There is a result of a number that the store has not come to.
    """
    import ml_metadata as mlmd

    numbers = [int(path.name) for path in pipeline_root.glob("*/*/*") if path.name.isdigit()]
    newest = mlmd.ListOptions(limit=1, order_by=mlmd.OrderByField.ID, is_asc=False)
    known = store.get_executions(list_options=newest)
    last = known[0].id if known else 0
    if numbers and max(numbers) > last:
        raise MetadataStoreError(
            f"{pipeline_root} holds results up to execution {max(numbers)}, and the metadata store "
            f"has {f'no execution after {last}' if known else 'none'}: it is not the one they were "
            "made with. Put that back, or move this folder away: new results must not be mixed "
            "with old ones. Pushed models, summaries and reports are kept"
        )
