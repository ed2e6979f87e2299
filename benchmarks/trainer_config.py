"""Settings of a preset as what the Trainer is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer_module.config import TrainerConfig


def trainer_config(preset: str, *overrides: str) -> TrainerConfig:
    """Returns the Trainer's configuration of a preset with overrides such as `training.epochs=3`.

    Raises:
        SettingsError: An unknown key or value.
    """
    from pipeline.settings_loader import load_settings
    from trainer_module.config import TrainerConfig, from_dict

    settings = load_settings(preset, overrides)
    return from_dict(
        TrainerConfig,
        {
            "canonical_size": settings.images.canonical_size,
            "model": settings.model.model_dump(),
            "training": settings.training.model_dump(),
        },
    )
