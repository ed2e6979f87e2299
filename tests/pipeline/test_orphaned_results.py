"""Results and a store that do not belong together are refused; what belongs together is not."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2

from pipeline.metadata_store import MetadataStoreError, connection_config, open_store
from pipeline.orphaned_results import open_store_of


def _store(workdir: pathlib.Path, executions: int) -> Any:
    """The configuration of a store with so many."""
    config = connection_config(workdir, None)
    store = open_store(config)
    kind = store.put_execution_type(metadata_store_pb2.ExecutionType(name="Component"))
    for _ in range(executions):
        store.put_executions([metadata_store_pb2.Execution(type_id=kind)])
    return config


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
    config = _store(tmp_path, executions)
    store = open_store_of(_results(tmp_path, *numbers), config)
    assert len(store.get_executions()) == executions
    assert open_store_of(tmp_path / "new", config).get_artifacts() == []


@pytest.mark.parametrize(
    ("executions", "numbers", "message"),
    [
        (0, [2], "up to execution 2, and the metadata store .*sqlite has none"),
        (3, [1, 4], "up to execution 4, and .* has no execution after 3"),
        (9, [9, 10], "up to execution 10, and .* has no execution after 9"),
    ],
    ids=["new_store", "older_store", "not_by_name"],
)
def test_results_of_another_store_are_refused_and_kept(
    executions: int, numbers: list[int], message: str, tmp_path: pathlib.Path
) -> None:
    root = _results(tmp_path, *numbers)
    config, before = _store(tmp_path, executions), sorted(root.rglob("*"))
    with pytest.raises(MetadataStoreError, match=message) as raised:
        open_store_of(root, config)
    assert str(root) in str(raised.value) and "move this folder away" in str(raised.value)
    assert sorted(root.rglob("*")) == before


def test_a_store_that_is_missed_is_not_made_anew(tmp_path: pathlib.Path) -> None:
    root, config = _results(tmp_path, 1), connection_config(tmp_path, None)
    path = tmp_path / "metadata.sqlite"
    with pytest.raises(MetadataStoreError, match=f"the metadata store {path} is not there: put"):
        open_store_of(root, config)
    assert not path.exists()
