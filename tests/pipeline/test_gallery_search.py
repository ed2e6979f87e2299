"""How the gallery is searched: from the settings to the indexer, and from it to the summary."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from pipeline import gallery_summary
from pipeline.lineage import Output, Run
from pipeline.settings_loader import load_settings


@pytest.mark.parametrize(
    ("overrides", "search", "probes"),
    [([], "exact", 32), (["gallery.search=routed", "gallery.probes=5"], "routed", 5)],
)
def test_the_indexer_is_told(
    overrides: list[str], search: str, probes: int, tmp_path: pathlib.Path
) -> None:
    from components.similarity_indexer.executor import IndexerConfig
    from pipeline.pipeline import create_pipeline
    from pipeline.places import places_in

    places = places_in(str(tmp_path), "flowers", dataset="data", schema="schema.pbtxt")
    dag = create_pipeline(load_settings("demo", overrides), places)
    (indexer,) = (node for node in dag.components if node.id == "SimilarityIndexer")
    config = IndexerConfig(**json.loads(indexer.exec_properties["config"]))
    assert (config.search, config.probes) == (search, probes)


def test_an_index_of_a_run_that_had_no_choice_is_exact() -> None:
    from components.similarity_indexer.executor import IndexerConfig

    config = IndexerConfig(
        splits=("train",), neighbours=5, calibration_split="train", match_precision=0.9
    )
    assert config.search == "exact"


@pytest.mark.parametrize(
    ("properties", "routed"),
    [
        ({}, None),
        (
            {"gallery_cells": 40, "probed_cells": 8, "routed_recall": 0.9},
            {"cells": 40, "probes": 8, "recall": 0.9},
        ),
        (
            {"gallery_cells": 40, "probed_cells": 8},
            {"cells": 40, "probes": 8, "recall": None},
        ),
    ],
)
def test_the_summary_says_what_the_index_is(properties: dict[str, Any], routed: Any) -> None:
    output = Output(uri="servable", properties={"gallery_size": 99, **properties})
    run = Run(id="1", outputs={("SimilarityIndexer", "servable"): output})
    assert gallery_summary.read(run) == {
        "gallery_size": 99,
        "match_threshold": None,
        "routed_search": routed,
    }


def test_a_run_without_an_index_says_nothing() -> None:
    empty = {"gallery_size": None, "match_threshold": None, "routed_search": None}
    assert gallery_summary.read(None) == gallery_summary.read(Run(id="1", outputs={})) == empty
