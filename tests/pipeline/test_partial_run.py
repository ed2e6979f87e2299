"""Which components a part of a run consists of, also where the gallery was changed by hand."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from components.gallery_edit import ledger
from components.gallery_edit.ledger import Ledger
from pipeline.component_ids import COMPONENT_IDS
from pipeline.partial_run import select
from pipeline.pipeline import create_pipeline
from pipeline.places import places_in
from pipeline.settings import Settings

EDITED = {"GalleryEdit", "AddedEmbedder"}
INDEXED = {*EDITED, "SimilarityIndexer", "ServingCheck", "Pusher"}


def _dag(workdir: pathlib.Path) -> Any:
    places = places_in(str(workdir), "flowers", dataset=str(workdir), schema="schema.pbtxt")
    return create_pipeline(Settings(), places)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return _dag(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Any:
    workdir = tmp_path_factory.mktemp("edited")
    ledger.write(workdir / "gallery", Ledger(removed={"a": "now"}))
    return _dag(workdir)


def test_changes_by_hand_are_in_the_dag_once_there_are_any(plain: Any, edited: Any) -> None:
    names = {node.id for node in plain.components}
    assert names == set(COMPONENT_IDS)
    assert {node.id for node in edited.components} == names | EDITED
    indexer = next(node for node in edited.components if node.id == "SimilarityIndexer")
    assert {node.id for node in indexer.upstream_nodes} > EDITED


@pytest.mark.parametrize("first", ["ImageEmbedder", "SimilarityIndexer", "ServingCheck", "Pusher"])
def test_what_is_pushed_follows_the_ledger_wherever_a_run_starts(edited: Any, first: str) -> None:
    names, options = select(edited, first, None)
    assert set(names) >= INDEXED and options is not None
    assert "Trainer" not in names and "TfdsExampleGen" not in names
    assert set(options.from_nodes) == set(names)


def test_a_part_that_indexes_nothing_needs_no_ledger(edited: Any) -> None:
    assert set(select(edited, "Transform", "Trainer")[0]) == {"Transform", "Trainer"}
    assert not EDITED & set(select(edited, None, "ImageEmbedder")[0])


def test_without_changes_a_part_is_what_it_was(plain: Any) -> None:
    assert "SimilarityIndexer" not in select(plain, "Pusher", None)[0]
    assert select(plain, None, None) == ([node.id for node in plain.components], None)
