"""Results and a store that do not belong together are refused; what belongs together is not."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2

from pipeline.metadata_store import MetadataStoreError, connection_config, open_store
from pipeline.orphaned_results import refuse_orphans


def _store(workdir: pathlib.Path, executions: int) -> Any:
    workdir.mkdir(exist_ok=True)
    store = open_store(connection_config(workdir, None))
    kind = store.put_execution_type(metadata_store_pb2.ExecutionType(name="Component"))
    for _ in range(executions):
        store.put_executions([metadata_store_pb2.Execution(type_id=kind)])
    return store


def _results(workdir: pathlib.Path, *numbers: int) -> pathlib.Path:
    root = workdir / "pipeline_root"
    for number in numbers:
        (root / "Trainer" / "model" / str(number) / "Format-Serving" / "17").mkdir(parents=True)
    (root / "Trainer" / ".system" / "executor_execution").mkdir(parents=True, exist_ok=True)
    return root


@pytest.mark.parametrize(("executions", "numbers"), [(0, []), (3, []), (3, [1, 3]), (12, [9, 10])])
def test_results_of_the_store_are_fine(
    executions: int, numbers: list[int], tmp_path: pathlib.Path
) -> None:
    refuse_orphans(_store(tmp_path, executions), _results(tmp_path, *numbers))
    refuse_orphans(_store(tmp_path, 0), tmp_path / "new")


@pytest.mark.parametrize(
    ("executions", "numbers", "message"),
    [
        (0, [2], "up to execution 2, and the metadata store has none"),
        (3, [1, 4], "up to execution 4, and the metadata store has no execution after 3"),
        (9, [9, 10], "up to execution 10, and the metadata store has no execution after 9"),
    ],
    ids=["new_store", "older_store", "not_by_name"],
)
def test_results_of_another_store_are_refused_and_kept(
    executions: int, numbers: list[int], message: str, tmp_path: pathlib.Path
) -> None:
    root = _results(tmp_path, *numbers)
    before = sorted(root.rglob("*"))
    with pytest.raises(MetadataStoreError, match=message) as raised:
        refuse_orphans(_store(tmp_path, executions), root)
    assert str(root) in str(raised.value) and "move this folder away" in str(raised.value)
    assert sorted(root.rglob("*")) == before
