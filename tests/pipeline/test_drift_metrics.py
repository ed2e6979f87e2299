"""The metrics of a drift report, in Prometheus's text format."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest

from pipeline.drift_metrics import check_path, metrics_text, write_metrics

REPORT: dict[str, Any] = {
    "drifted": True,
    "decided": True,
    "examined": 200,
    "comparison": {
        "embeddings": {"distance": 0.3, "effect": 0.125, "p_value": 0.001},
        "scores": {"drop": 0.5, "p_value": 1e-12, "distance": 0.1},
        "out_of_gallery": 0.75,
        "reference_out_of_gallery": 0.25,
    },
}


def samples(text: str) -> dict[str, float]:
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if not line.startswith("#")
    }


def test_every_number():
    assert samples(metrics_text(REPORT, "flowers", 1795610332.5)) == {
        'flowersim_drifted{model_name="flowers"}': 1,
        'flowersim_drift_decided{model_name="flowers"}': 1,
        'flowersim_drift_photos{model_name="flowers"}': 200,
        'flowersim_drift_statistic{model_name="flowers",of="embeddings"}': 0.125,
        'flowersim_drift_statistic{model_name="flowers",of="best_scores"}': 0.5,
        'flowersim_drift_p_value{model_name="flowers",of="embeddings"}': 0.001,
        'flowersim_drift_p_value{model_name="flowers",of="best_scores"}': 1e-12,
        'flowersim_out_of_gallery_rate{model_name="flowers",photos="logged"}': 0.75,
        'flowersim_out_of_gallery_rate{model_name="flowers",photos="reference"}': 0.25,
        'flowersim_drift_timestamp_seconds{model_name="flowers"}': 1795610332.5,
    }


def test_what_is_not_known_is_left_out():
    report = {"drifted": False, "decided": False, "examined": 3, "comparison": None}
    assert set(samples(metrics_text(report, "m", 1.0))) == {
        'flowersim_drifted{model_name="m"}',
        'flowersim_drift_decided{model_name="m"}',
        'flowersim_drift_photos{model_name="m"}',
        'flowersim_drift_timestamp_seconds{model_name="m"}',
    }


def test_each_metric_is_told_of_once_before_its_samples():
    lines = metrics_text(REPORT, 'a"b\\c', 1.0).splitlines()
    assert 'flowersim_drifted{model_name="a\\"b\\\\c"} 1' in lines
    seen: list[str] = []
    for number, line in enumerate(lines):
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in seen and lines[number + 1] == f"# TYPE {name} gauge"
            seen.append(name)
        elif not line.startswith("# TYPE "):
            assert re.match(rf"{seen[-1]}\{{", line)


def test_the_file_is_one_that_the_collector_reads(tmp_path: pathlib.Path):
    with pytest.raises(OSError, match=r"drift.txt: .* names end in .prom"):
        check_path(tmp_path / "drift.txt")
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere"):
        check_path(tmp_path / "nowhere" / "drift.prom")
    check_path(tmp_path / "drift.prom")
    write_metrics(tmp_path / "drift.prom", "a 1\n")
    write_metrics(tmp_path / "drift.prom", "a 2\n")
    assert [path.name for path in tmp_path.iterdir()] == ["drift.prom"]
    assert (tmp_path / "drift.prom").read_text("utf-8") == "a 2\n"
