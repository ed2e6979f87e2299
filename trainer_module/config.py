"""What the Trainer is told, as typed values instead of a dictionary.

There are no defaults here: they belong to the settings tree, which fills every field.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The network; see the settings of the same names."""

    backbone: str
    weights: str
    input_size: int
    embedding_dim: int
    dropout: float
    head: str
    head_scale: float
    compared_layer: str
    mirror_average: bool


@dataclasses.dataclass(frozen=True)
class CenterLossConfig:
    """The center loss; see the settings of the same names."""

    weight: float
    momentum: float
    normalize: bool
    warmup_epochs: int


@dataclasses.dataclass(frozen=True)
class TripletConfig:
    """The triplet loss; see the settings of the same names."""

    weight: float
    margin: float
    mining: str
    normalize: bool


@dataclasses.dataclass(frozen=True)
class AugmentationConfig:
    """Random changes to training images; see the settings of the same names."""

    min_area: float
    flip: bool
    color: float
    erasing: float


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """The optimisation; see the settings of the same names."""

    epochs: int
    batch_size: int
    images_per_class: int
    input_size: int | None
    learning_rate: float
    warmup_share: float
    weight_decay: float
    backbone_rate: float
    head_epochs: int
    frozen_blocks: int
    drop_path: float | None
    cross_entropy_weight: float
    label_smoothing: float
    center_loss: CenterLossConfig
    triplet: TripletConfig
    augmentation: AugmentationConfig
    cache_mb: int
    precision: str
    seed: int


@dataclasses.dataclass(frozen=True)
class TrainerConfig:
    """All of it.

    Attributes:
        canonical_size: Shorter side of canonical images in pixels.
        model: The network.
        training: The optimisation.
    """

    canonical_size: int
    model: ModelConfig
    training: TrainingConfig


def from_dict(kind: type[T], values: Mapping[str, Any]) -> T:
    """Builds a (nested) configuration dataclass from plain values.

    Raises:
        TypeError: A missing or an unknown key.
    """
    hints = typing.get_type_hints(kind)
    return kind(
        **{
            key: from_dict(hints[key], value)
            if key in hints and dataclasses.is_dataclass(hints[key])
            else value
            for key, value in values.items()
        }
    )
