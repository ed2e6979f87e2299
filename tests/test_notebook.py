"""The notebook as it is stored; that it runs is tested in `tests/e2e`, on a real run."""

from __future__ import annotations

import json
import pathlib

import nbformat
import pytest

NOTEBOOKS = sorted((pathlib.Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_is_valid_and_stored_without_what_a_run_of_it_leaves(path: pathlib.Path) -> None:
    nbformat.validate(json.loads(path.read_text("utf-8")))
    notebook = nbformat.read(path, nbformat.NO_CONVERT)
    assert notebook.nbformat == 4
    for cell in notebook.cells:
        assert cell.source.strip()
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
        assert set(cell.metadata) <= {"tags"}
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_its_folder_can_be_given(path: pathlib.Path) -> None:
    """Papermill and the test that runs it put a cell in place of the one with this tag."""
    notebook = nbformat.read(path, nbformat.NO_CONVERT)
    (parameters,) = (
        cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])
    )
    assert parameters.source == 'WORKDIR = "../runs/demo"'


def test_there_is_one() -> None:
    assert [path.name for path in NOTEBOOKS] == ["run_to_findings.ipynb"]
