"""What is printed about settings is what the settings are."""

from __future__ import annotations

import io
import pathlib

import pytest
from rich.console import Console

from pipeline.settings import Settings
from pipeline.settings_help import describe, markdown, preset_yaml, print_settings
from pipeline.settings_loader import SettingsError, iter_fields, load_settings


@pytest.mark.parametrize("preset", ["demo", "flowers102"])
def test_a_preset_file_gives_back_the_settings_it_was_made_of(
    preset: str, tmp_path: pathlib.Path
) -> None:
    settings = load_settings(
        preset, ["data.folder=/a folder: with #signs 'and' ünïcode", "data.dataset=no_3"]
    )
    path = tmp_path / "mine.yaml"
    path.write_text(preset_yaml(settings), "utf-8")
    assert load_settings(str(path)) == settings


def test_every_setting_says_what_it_means() -> None:
    described = {setting.key: setting for setting in describe(Settings())}
    assert list(described) == [key for key, _ in iter_fields()]
    for setting in described.values():
        assert setting.meaning and setting.allowed, setting.key
    batch = described["training.batch_size"]
    assert (batch.default, batch.allowed) == ("32", "an integer ≥ 2 and ≤ 4096")


def test_a_changed_value_is_shown_beside_its_default() -> None:
    output = io.StringIO()
    settings = load_settings("demo", ["training.epochs=3"])
    print_settings(settings, Console(file=output, width=80, highlight=False))
    assert "training.epochs = 3  (default 20)\n" in output.getvalue()
    assert "training.seed = 0\n" in output.getvalue()


def test_the_markdown_table_has_a_row_of_four_cells_for_each_setting() -> None:
    lines = markdown().splitlines()
    assert len(lines) == 2 + len(list(iter_fields()))
    assert all(line.replace(r"\|", "").count("|") == 5 for line in lines)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("training: [", "is not valid YAML"),
        ("- 1", "must hold sections such as training:"),
        ("training:\n  epoch: 3", "did you mean training.epochs"),
    ],
)
def test_a_bad_preset_file_is_named(content: str, message: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content, "utf-8")
    with pytest.raises(SettingsError, match=message.replace("[", r"\[")):
        load_settings(str(path))
    with pytest.raises(SettingsError, match="cannot read the preset .*none.yaml"):
        load_settings(str(tmp_path / "none.yaml"))
