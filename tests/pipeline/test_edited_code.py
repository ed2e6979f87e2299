"""Which components have another cache key once a file of the project is edited."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable

import pytest

from pipeline import code_hash
from pipeline.pipeline import create_pipeline
from pipeline.places import Places
from pipeline.settings_loader import load_settings

PLACES = Places("dataset", "schema", "root", "checkpoints", "serving/flowers")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("project")
    for room in code_hash.ROOMS:
        shutil.copytree(code_hash.ROOT / room, folder / room)
    return folder


@pytest.fixture
def edited(project: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], set[str]]:
    """Gives `edited(file)`: the components whose properties that changes."""
    monkeypatch.setattr(code_hash, "ROOT", project)

    def properties() -> dict[str, str]:
        dag = create_pipeline(load_settings("demo", []), PLACES)
        return {component.id: str(component.exec_properties) for component in dag.components}

    def edit(file: str) -> set[str]:
        before = properties()
        with open(project / file, "a") as source:
            source.write("\n# edited\n")
        after = properties()
        return {name for name, told in after.items() if told != before[name]}

    return edit


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("components/retrieval_evaluator/metric.py", {"Evaluator", "TestEvaluator"}),
        ("components/similarity_indexer/servable.py", {"SimilarityIndexer"}),
        ("serving/rest_api.py", {"ServingCheck"}),
        ("serving/page/results.css", set()),
        ("components/report/page/styles/map.css", {"Report"}),
        ("components/pusher/versions.py", {"Pusher"}),
        ("pipeline/commands/run_command.py", set()),
    ],
)
def test_just_those_that_run_it(
    file: str, expected: set[str], edited: Callable[[str], set[str]]
) -> None:
    assert edited(file) == expected
