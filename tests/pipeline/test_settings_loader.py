"""Presets and `--set`: what is read, and how every refusal says key, value and what is allowed."""

from __future__ import annotations

import functools
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.settings import Settings
from pipeline.settings_loader import (
    SettingsError,
    iter_fields,
    load_settings,
    preset_names,
)


def _read(override: str) -> Any:
    key = override.partition("=")[0].strip()
    return functools.reduce(getattr, key.split("."), load_settings("demo", [override]))


def test_the_presets_are_the_documented_ones():
    assert preset_names() == ["demo", "flowers102"]


@pytest.mark.parametrize("name", preset_names())
def test_presets_load(name: str):
    assert isinstance(load_settings(name), Settings)


def test_a_preset_overrides_defaults_and_leaves_the_rest():
    demo, default = load_settings("demo"), Settings()
    assert demo.training.epochs != default.training.epochs
    assert demo.training.weight_decay == default.training.weight_decay
    assert load_settings("flowers102").data.dataset == "oxford_flowers102"


def test_later_overrides_win_and_change_nothing_else():
    settings = load_settings("demo", ["training.epochs=3", "training.epochs=4"])
    assert settings.training.epochs == 4
    changed = settings.model_dump()
    changed["training"]["epochs"] = load_settings("demo").training.epochs
    assert changed == load_settings("demo").model_dump()


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("training.epochs=7", 7),
        (" training.epochs = 7 ", 7),
        ("training.learning_rate=1e-3", 0.001),
        ("training.learning_rate=+2.5E-4", 0.00025),
        ("training.learning_rate=.5e-1", 0.05),
        ("training.learning_rate=1", 1.0),
        ("training.weight_decay=0", 0.0),
        ("training.augmentation.flip=no", False),
        ("training.augmentation.flip=true", True),
        ("evaluation.ks=[1, 20]", (1, 20)),
        ("gallery.splits=[train, validation, test]", ("train", "validation", "test")),
        ("run.beam_args=[--runner=DirectRunner, --x=a:b]", ("--runner=DirectRunner", "--x=a:b")),
        ("run.beam_args=[]", ()),
        ("model.weights=none", "none"),
        ("data.folder=null", None),
        ("data.folder=~", None),
        ("data.folder=", None),
        ("data.folder='null'", "null"),
        ("data.folder=~/photos", "~/photos"),
        ("data.folder=/photos/a=b", "/photos/a=b"),
        ("data.folder=/photos: mine", "/photos: mine"),
        ("data.folder=/photos #1/of 2", "/photos #1/of 2"),
        ("data.folder=C:\\photos", "C:\\photos"),
        ("data.folder=2024", "2024"),
        ("data.folder=yes", "yes"),
        ("data.folder=12:30", "12:30"),
        ("data.folder=[a", "[a"),
        ("data.folder=@home", "@home"),
        ("data.folder=Фото/été", "Фото/été"),
        ("data.folder='/with \"quotes\"'", '/with "quotes"'),
        ('data.folder="a\\tb"', "a\tb"),
        ("data.data_dir=gs://bucket/data", "gs://bucket/data"),
        ("data.dataset=oxford_flowers102:2.1.1", "oxford_flowers102:2.1.1"),
        ("data.dataset=visual_domain_decathlon/vgg-flowers", "visual_domain_decathlon/vgg-flowers"),
    ],
)
def test_values_as_people_type_them(override: str, value: Any):
    found = _read(override)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("training.epochs=x", ["training.epochs='x'", "an integer ≥ 0 and ≤ 10000"]),
        ("training.epochs=1.5", ["training.epochs=1.5", "an integer"]),
        ("training.epochs=true", ["training.epochs=True", "an integer"]),
        ("training.epochs=-1", ["training.epochs=-1", "≥ 0"]),
        ("training.epochs=", ["training.epochs=None", "an integer"]),
        ("training.batch_size=1", ["training.batch_size=1 ", "≥ 2 and ≤ 4096"]),
        ("training.learning_rate=0", ["training.learning_rate=0 ", "a number > 0 and ≤ 1"]),
        ("training.learning_rate=.nan", ["training.learning_rate=nan", "a number"]),
        ("training.learning_rate=fast", ["training.learning_rate='fast'", "a number"]),
        ("training.center_loss.momentum=1", ["training.center_loss.momentum=1 ", "< 1"]),
        ("training.augmentation.flip=1", ["training.augmentation.flip=1 ", "true or false"]),
        ("training.precision=half", ["training.precision='half'", "one of auto, float32"]),
        ("model.weights=null", ["model.weights=None", "one of imagenet, none"]),
        ("model.backbone=resnet", ["model.backbone='resnet'", "efficientnet_lite0", "V2B0"]),
        ("data.dataset=Flowers", ["data.dataset='Flowers'", "NAME/CONFIG"]),
        ("serving.model_name=a b", ["serving.model_name='a b'", "letters, digits, _ and -"]),
        ("run.pipeline_name=Flowers", ["run.pipeline_name='Flowers'", "lower-case letters"]),
        ("evaluation.ks=[1, 0]", ["evaluation.ks.1=0 ", "evaluation.ks must", "integer ≥ 1"]),
        ("evaluation.ks=[1, a]", ["evaluation.ks.1='a'", "a list, each item an integer"]),
        ("evaluation.ks=1", ["evaluation.ks=1 ", "a list"]),
        ("evaluation.ks=[]", ["evaluation.ks=[] ", "at least 1 of them"]),
        ("evaluation.ks={", ["evaluation.ks={ ", "not valid YAML", "a list"]),
        ("evaluation.ks=[5]", ["evaluation: ks must be distinct and contain 1", "[5]"]),
        ("gallery.splits=[dev]", ["gallery.splits.0='dev'", "one of train, validation, test"]),
        ("gallery.calibration_split=dev", ["gallery.calibration_split='dev'", "train"]),
        ("data.division.test_share=0.9", ["data.division: ", "below 1", "0.9"]),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(override: str, parts: list[str]):
    with pytest.raises(SettingsError) as error:
        load_settings("demo", [override])
    message = str(error.value)
    assert all(part in message for part in parts), message
    assert "\n" not in message, "one mistake, one line"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epohcs=3", "unknown setting 'training.epohcs'; did you mean training.epochs?"),
        ("epochs=3", "did you mean training.epochs?"),
        ("training.dropout=0.1", "did you mean model.dropout?"),
        ("training.momentum=0.9", "did you mean training.center_loss.momentum?"),
        ("model.colour=1", "there are: model.backbone, model.weights"),
        ("zzz=1", "unknown setting 'zzz'; there are: data, deployment, "),
        ("training.center_loss=0", "training.center_loss is a section, not a setting"),
        ("training.epochs.x=1", "unknown setting 'training.epochs.x'"),
        ("training.epochs", "'training.epochs': expected section.key=value"),
        ("=3", "expected section.key=value"),
    ],
)
def test_a_key_that_does_not_exist_is_named_with_what_does(override: str, message: str):
    with pytest.raises(SettingsError) as error:
        load_settings("demo", [override])
    assert message in str(error.value)


def test_every_mistake_is_reported_not_only_the_first():
    with pytest.raises(SettingsError) as error:
        load_settings("demo", ["training.epochs=x", "model.input_size=7"])
    assert "training.epochs" in str(error.value) and "model.input_size" in str(error.value)


def test_an_unknown_preset_is_named_with_those_there_are():
    with pytest.raises(SettingsError, match="unknown preset 'big'; there are: demo, flowers102"):
        load_settings("big")


@given(
    key=st.sampled_from([key for key, _ in iter_fields()]),
    value=st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
def test_any_text_is_either_taken_or_refused_with_the_key_named(key: str, value: str):
    try:
        load_settings("demo", [f"{key}={value}"])
    except SettingsError as error:
        assert key.split(".")[0] in str(error)


def test_loading_imports_no_heavy_library():
    code = (
        "import sys; from pipeline.settings_loader import load_settings; load_settings();"
        "heavy = {'tensorflow', 'keras', 'tfx', 'apache_beam', 'numpy'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
