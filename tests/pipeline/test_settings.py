"""The settings tree itself: every field documented, defaults legal, nothing to be changed."""

from __future__ import annotations

import re
from typing import cast

import pytest
from pydantic import BaseModel, ValidationError

from pipeline.monitoring_settings import MonitoringSettings
from pipeline.settings import (
    DivisionSettings,
    EvaluationSettings,
    GallerySettings,
    ModelSettings,
    Settings,
    TrainingSettings,
)
from pipeline.settings_loader import SettingsError, allowed, iter_fields, load_settings
from trainer_module.backbones import available_backbones
from trainer_module.config import TrainerConfig, from_dict

FIELDS = dict(iter_fields())


def _leaves(tree: dict, prefix: str = "") -> list[str]:
    found: list[str] = []
    for key, value in tree.items():
        found += _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
    return found


def _sections(model: type[BaseModel]) -> list[type[BaseModel]]:
    inner = [field.annotation for field in model.model_fields.values()]
    models = [kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return [model, *(section for kind in models for section in _sections(kind))]


def test_iter_fields_finds_every_leaf_in_order():
    assert list(FIELDS) == _leaves(Settings().model_dump())


def _owner(key: str) -> tuple[type[BaseModel], str]:
    """The section that a dotted key is in, and the key's last part."""
    *sections, leaf = key.split(".")
    owner: type[BaseModel] = Settings
    for section in sections:
        owner = cast(type[BaseModel], owner.model_fields[section].annotation)
    return owner, leaf


@pytest.mark.parametrize("key", FIELDS)
def test_every_setting_is_described_and_its_default_is_allowed(key: str):
    field = FIELDS[key]
    assert field.description and len(field.description) >= 15
    owner, leaf = _owner(key)
    # Unlike a default, a given value is checked.
    assert getattr(owner.model_validate({leaf: field.default}), leaf) == field.default


@pytest.mark.parametrize("section", _sections(Settings), ids=lambda kind: kind.__name__)
def test_every_section_is_frozen_strict_and_closed(section: type[BaseModel]):
    tree = section()
    name = next(iter(section.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(tree, name, getattr(tree, name))
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        section.model_validate({"no_such_setting": 1})


def test_settings_are_hashable_and_equal_by_value():
    assert Settings() == Settings() and hash(Settings()) == hash(Settings())


@pytest.mark.parametrize("key", FIELDS)
def test_bounds_in_words_are_the_bounds_that_hold(key: str):
    """Values at, and just outside, each bound that `allowed` names."""
    field = FIELDS[key]
    words = allowed(field).removesuffix(" or null")
    kind = {"an integer": int, "a number": float}.get(" ".join(words.split()[:2]))
    if kind is None:
        assert words.startswith(("text", "one of", "true or false", "a list, each item "))
        return
    owner, leaf = _owner(key)
    # Two shares of one whole bound each other: their own bounds show when the other is 0.
    # Images of a class bound the batch, and the other way round.
    fitting: dict[type[BaseModel], dict[str, float]] = {
        DivisionSettings: {"validation_share": 0.0, "test_share": 0.0},
        TrainingSettings: {"batch_size": 4096, "epochs": 10000},
        MonitoringSettings: {"min_photos": 20, "max_photos": 100_000},
    }
    others = fitting.get(owner, {})

    def accepts(value: float) -> bool:
        try:
            owner.model_validate({**others, leaf: kind(value)})
        except ValidationError:
            return False
        return True

    for bound in words.split(" ", 2)[2].split(" and "):
        symbol, number = bound.split()
        step = 1 if kind is int else 1e-6
        outside = {"≥": -step, ">": 0, "≤": step, "<": 0}[symbol]
        inside = {"≥": 0, ">": step, "≤": 0, "<": -step}[symbol]
        assert not accepts(float(number) + outside), bound
        assert accepts(float(number) + inside), bound


@pytest.mark.parametrize("name", [*available_backbones(), "EFFICIENTNET_LITE0", "efficientnetb0"])
def test_every_backbone_is_a_setting(name: str):
    assert ModelSettings(backbone=name).backbone == name


def test_combinations_that_cannot_work_are_refused():
    with pytest.raises(ValidationError, match="below 1"):
        DivisionSettings(validation_share=0.5, test_share=0.5)
    with pytest.raises(ValidationError, match="contain 1"):
        EvaluationSettings(ks=(5, 10))
    with pytest.raises(ValidationError, match="distinct"):
        EvaluationSettings(ks=(1, 5, 5))
    with pytest.raises(ValidationError, match="distinct"):
        GallerySettings(splits=("train", "train"))


LOSSES = [key for key in FIELDS if re.fullmatch(r"training\.(\w+\.|\w+_)weight", key)]


@pytest.mark.parametrize("trained", [*LOSSES, None])
def test_each_loss_can_be_trained_alone_but_not_none(trained: str | None):
    assert "training.cross_entropy_weight" in LOSSES and len(LOSSES) >= 3
    weights = [f"{key}={float(key == trained)}" for key in LOSSES]
    if trained:
        load_settings("demo", [*weights, "training.images_per_class=2"])
    else:
        with pytest.raises(SettingsError, match="one of the losses must have a weight above 0"):
            load_settings("demo", weights)


def test_the_trainer_takes_model_and_training_settings_as_they_are():
    settings = Settings()
    config = from_dict(
        TrainerConfig,
        {
            "canonical_size": settings.images.canonical_size,
            "model": settings.model.model_dump(),
            "training": settings.training.model_dump(),
        },
    )
    assert config.training.center_loss.momentum == settings.training.center_loss.momentum
    assert config.model.backbone == settings.model.backbone
