"""Which settings are said to differ."""

from __future__ import annotations

import pathlib

from pipeline.comparison.settings_diff import settings_diff
from pipeline.comparison.words import in_words
from pipeline.settings_loader import iter_fields, load_settings


def test_equal_settings_differ_in_nothing() -> None:
    assert settings_diff([load_settings("demo"), load_settings("demo")]) == []


def test_what_was_overridden_differs_and_nothing_else() -> None:
    other = load_settings("demo", ["training.epochs=5", "evaluation.ks=[1, 3]"])
    (epochs, ks) = settings_diff([load_settings("demo"), load_settings("demo"), other])
    default = load_settings("demo").training.epochs
    assert (epochs.key, epochs.values) == ("training.epochs", (default, default, 5))
    assert epochs.description == dict(iter_fields())["training.epochs"].description
    assert (ks.key, ks.values[2], in_words(ks.values[2])) == ("evaluation.ks", [1, 3], "1, 3")


def test_how_a_value_was_written_does_not_count(tmp_path: pathlib.Path) -> None:
    (tmp_path / "one.yaml").write_text("training: {learning_rate: 1e-3}", "utf-8")
    (tmp_path / "other.yaml").write_text("training: {learning_rate: 0.0010}", "utf-8")
    runs = [load_settings(str(tmp_path / f"{name}.yaml")) for name in ("one", "other")]
    assert settings_diff(runs) == []
