"""The ablation's table and its memory of finished runs."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

from benchmarks import ablation
from benchmarks.ablation import VARIANTS
from benchmarks.comparison_table import METRICS, table
from benchmarks.trained_variants import (
    RECIPE,
    Clock,
    Key,
    read_results,
    settings_digest,
    training_code,
)
from benchmarks.trainer_config import trainer_config


def _row(variant: str, seed: int, **values: object) -> dict:
    return {
        **dict.fromkeys(METRICS, 0.5),
        "variant": variant,
        "seed": seed,
        "settings": "s1",
        "code": "c1",
        "cpu_seconds": 120.0,
        **values,
    }


def test_every_variant_is_a_setting_of_its_own() -> None:
    configs = {
        name: trainer_config("flowers102", *RECIPE, *v.settings) for name, v in VARIANTS.items()
    }
    assert len({repr(config) for config in configs.values()}) == len(VARIANTS)
    assert configs["cross-entropy + center"].training.center_loss.weight > 0
    assert configs["cross-entropy"].training.center_loss.weight == 0
    assert configs["triplet"].training.cross_entropy_weight == 0
    assert {config.training.batch_size for config in configs.values()} == {32}


def test_means_spreads_and_paired_differences() -> None:
    rows = [
        _row("cross-entropy", 0, recall_at_1=0.70),
        _row("cross-entropy", 1, recall_at_1=0.80),
        _row("cross-entropy + center", 0, recall_at_1=0.75),
        _row("cross-entropy + center", 1, recall_at_1=0.83),
        _row("frozen", 0, recall_at_1=0.60, accuracy=float("nan")),
    ]
    lines = table(rows, list(VARIANTS), "cross-entropy").splitlines()
    assert "| cross-entropy | 2 | 0.750 ± 0.071 |" in "\n".join(lines)
    (frozen,) = [line for line in lines[:6] if line.startswith("| frozen")]
    assert frozen.startswith("| frozen | 1 | 0.600 | 0.500 | – |")
    differences = lines[lines.index("Difference to cross-entropy with the same seed:") :]
    # The spread of the differences, not of the values.
    assert any(
        line.startswith("| cross-entropy + center | 2 | +0.040 ± 0.014 |") for line in differences
    )
    assert any(line.startswith("| frozen | 1 | -0.100 |") for line in differences)


def test_finished_runs_are_remembered(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "results.jsonl"
    assert read_results(path) == {}
    rows = [_row("frozen", 2, recall_at_1=0.1), _row("frozen", 2, recall_at_1=0.2, code="c2")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = read_results(path)
    assert found[Key("frozen", 2, "s1", "c1")]["recall_at_1"] == 0.1
    assert found[Key("frozen", 2, "s1", "c2")]["recall_at_1"] == 0.2
    assert found[Key("frozen", 2, "s1", "any")]["recall_at_1"] == 0.2
    assert len(found) == 3


def test_runs_are_told_apart_by_settings_and_code() -> None:
    assert settings_digest(["training.seed=1"]) == settings_digest(["training.seed=1"])
    assert settings_digest(["training.seed=1"]) != settings_digest(["training.seed=2"])
    assert training_code() == training_code() != ""


def test_a_report_without_training(tmp_path: pathlib.Path) -> None:
    results, report = tmp_path / "results.jsonl", tmp_path / "report.md"
    row = _row("cross-entropy", 0, recall_at_1=0.75, code="older")
    overrides = [
        *RECIPE,
        "training.epochs=14",
        "model.input_size=128",
        "training.seed=0",
        *VARIANTS["cross-entropy"].settings,
    ]
    row["settings"] = settings_digest(overrides)
    results.write_text(json.dumps(row) + "\n", "utf-8")
    command = ["--no-training", "--results", results, "--report", report, "--workdir", tmp_path]
    subprocess.run([sys.executable, ablation.__file__, *map(str, command)], check=True, timeout=300)
    text = report.read_text("utf-8")
    assert "14 epochs" in text and "| cross-entropy | 1 | 0.750 |" in text


def test_time_adds_up_over_interruptions(tmp_path: pathlib.Path) -> None:
    (tmp_path / "clock.json").write_text('{"seconds": 100.0, "cpu_seconds": 150.0}', "utf-8")
    try:
        with Clock(tmp_path):
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    spent = Clock(tmp_path).read()
    assert 100.0 <= spent["seconds"] < 110.0 and 150.0 <= spent["cpu_seconds"] < 160.0
