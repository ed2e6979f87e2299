"""What is found equals what TFX's Evaluator, run for real, says of the same embeddings."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest

from components.image_embedder.records import EmbeddedImage
from components.leak_check import report
from components.leak_check.report import NearDuplicate
from components.report.findings.gather import gather
from components.report.sources import ReportConfig, Sources
from components.retrieval_evaluator.config import Protocol
from components.retrieval_evaluator.results import read_by_class, read_overall
from tests.components.report.findings.build import thumbnail
from tests.components.report.small_run import write_images
from tests.components.retrieval_evaluator.conftest import data, evaluate  # noqa: F401


@pytest.mark.extended
@pytest.mark.parametrize("in_gallery", [False, True], ids=["leave-one-out", "gallery"])
def test_means_and_classes(
    data: Any,  # noqa: F811
    evaluate: Any,  # noqa: F811
    tmp_path: pathlib.Path,
    in_gallery: bool,
) -> None:
    count = len(data.ids)
    splits = ["validation"] * count
    gallery_splits: tuple[str, ...] = ()
    left_out: list[str] = []
    protocol = Protocol(("validation",), ("validation",))
    if in_gallery:
        splits = ["train" if row % 3 == 0 else "validation" for row in range(count)]
        gallery_splits, left_out = ("train", "validation"), data.ids[4:8]
        protocol = Protocol(("validation",), gallery_splits)
    evaluation = evaluate(
        None, splits=splits, protocol=protocol, left_out=left_out if in_gallery else None
    )
    write_images(
        tmp_path / "embeddings",
        [
            EmbeddedImage(
                identity=data.ids[row].encode(),
                label=data.labels[row],
                class_name=data.class_names[row].encode(),
                split=splits[row].encode(),
                embedding=data.embeddings[row],
                thumbnail=thumbnail(row, (20, 16)),
            )
            for row in range(count)
        ],
    )
    listed = [NearDuplicate(name, "validation", "", "", "train", "", 1.0, 1.0) for name in left_out]
    (tmp_path / report.FILE).write_text(report.dumps(listed), "utf-8")
    content = gather(
        Sources(
            embeddings=str(tmp_path / "embeddings"),
            embedded_splits=tuple(sorted(set(splits))),
            near_duplicates=str(tmp_path),
            evaluations={"validation": evaluation.uri},
        ),
        ReportConfig(gallery_splits=gallery_splits, left_out=in_gallery),
    ).content
    overall = read_overall(evaluation.uri)
    assert content["protocol"]["queries"] == overall["example_count"]
    assert set(content["balanced"]) == set(overall) - {"example_count"}
    rows = content["per_class"]
    for name in ("recall_at_1", "map_at_r"):
        mean = np.average([row[name] for row in rows], weights=[row["queries"] for row in rows])
        assert mean == pytest.approx(overall[name], abs=1e-6)
        assert 0 < overall[name] < 1, "a test of something"
    by_class = read_by_class(evaluation.uri)
    for row in rows:
        found = by_class[row["name"]]
        assert row["recall_at_1"] == pytest.approx(found["recall_at_1"], abs=1e-6)
        assert row["map_at_r"] == pytest.approx(found["map_at_r"], abs=1e-6)
    balanced = np.mean([row["map_at_r"] for row in rows])
    assert content["balanced"]["map_at_r"] == pytest.approx(balanced)
