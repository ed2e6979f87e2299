"""The settings of the network and of its training, a part of the tree in `settings.py`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pipeline.settings_section import Probability, Section, Share
from trainer_module.backbones import available_backbones


def _known_backbone(name: str) -> str:
    if name.lower() not in map(str.lower, available_backbones()):
        raise ValueError(f"it must be one of {', '.join(available_backbones())}")
    return name


class ModelSettings(Section):
    """The network."""

    backbone: Annotated[str, AfterValidator(_known_backbone)] = Field(
        default="efficientnet_lite0",
        description="network below the embedding, one of those in trainer_module/backbones.py",
    )
    weights: Literal["imagenet", "none"] = Field(
        default="imagenet", description="where the backbone's weights start from"
    )
    input_size: int = Field(
        default=128,
        ge=32,
        le=800,
        description="side of the square image the backbone sees when the model is used, in pixels",
    )
    embedding_dim: int = Field(
        default=256,
        ge=0,
        le=4096,
        description="length of the embedding; 0 uses the backbone's pooled features as they are",
    )
    dropout: Share = Field(default=0.2, description="dropout before the embedding layer")
    head: Literal["cosine", "linear"] = Field(
        default="cosine", description="classification head used in training"
    )
    head_scale: float = Field(
        default=16.0, gt=0.0, le=100.0, description="inverse temperature of the cosine head"
    )
    compared_layer: Literal["embedding", "pooled"] = Field(
        default="embedding",
        description="what images are compared by: the embedding, or the backbone's pooled features "
        "below it, which are longer (1280 for EfficientNet-Lite)",
    )
    mirror_average: bool = Field(
        default=False,
        description="embed an image as the mean of itself and its mirror image, at twice the cost",
    )


class AugmentationSettings(Section):
    """Random changes to training images."""

    min_area: float = Field(
        default=0.25,
        gt=0.0,
        le=1.0,
        description="smallest share of the image that a random crop keeps",
    )
    flip: bool = Field(default=True, description="mirror half of the images")
    color: float = Field(
        default=0.3,
        ge=0.0,
        le=1.0,
        description="strength of brightness, contrast, saturation, hue jitter",
    )
    erasing: Probability = Field(
        default=0.3, description="share of images with a random patch erased"
    )


class CenterLossSettings(Section):
    """The center loss (Wen et al., ECCV 2016) with moving-average centers."""

    weight: float = Field(default=4.0, ge=0.0, le=100.0, description="λ; 0 trains without it")
    momentum: float = Field(
        default=0.8, ge=0.0, lt=1.0, description="m in c ← m·c + (1−m)·class mean of the batch"
    )
    normalize: bool = Field(
        default=True, description="compare directions (1 − cos) in place of squared distances"
    )
    warmup_epochs: int = Field(
        default=2, ge=0, le=10000, description="epochs in which λ rises from 0 to its weight"
    )


class TripletSettings(Section):
    """The triplet loss max(0, ‖a − p‖² − ‖a − n‖² + α), mined within each batch."""

    weight: float = Field(default=0.0, ge=0.0, le=100.0, description="0 trains without it")
    margin: float = Field(default=0.2, gt=0.0, le=100.0, description="α, in squared distance")
    mining: Literal["batch_hard", "semi_hard"] = Field(
        default="batch_hard",
        description="batch_hard: the farthest positive and the nearest negative of each image; "
        "semi_hard: for each positive the nearest of the farther negatives",
    )
    normalize: bool = Field(default=True, description="compare unit embeddings")


class TrainingSettings(Section):
    """How the network is trained."""

    epochs: int = Field(
        default=20,
        ge=0,
        le=10000,
        description="passes over the training split; 0 exports it untrained",
    )
    batch_size: int = Field(
        default=32, ge=2, le=4096, description="images in a step, over all devices"
    )
    images_per_class: int = Field(
        default=0,
        ge=0,
        le=64,
        description="K of batches of batch_size/K classes with K images each, every class equally "
        "often; 0 takes images as they come; the triplet loss needs at least 2",
    )
    input_size: Annotated[int, Field(ge=32, le=800)] | None = Field(
        default=None,
        description="side of the square image in training, in pixels; random crops enlarge what "
        "they show, so it may be smaller than model.input_size (null: the same)",
    )
    learning_rate: float = Field(
        default=2e-3, gt=0.0, le=1.0, description="peak of the cosine schedule"
    )
    warmup_share: Share = Field(
        default=0.1, description="share of the steps that raise the rate from 0"
    )
    weight_decay: float = Field(default=1e-4, ge=0.0, le=1.0, description="AdamW's decoupled decay")
    backbone_rate: float = Field(
        default=1.0,
        ge=0.0,
        le=10.0,
        description="factor on the learning rate of the backbone; with 0 only the statistics of "
        "its batch normalisation follow",
    )
    head_epochs: int = Field(
        default=0,
        ge=0,
        le=9999,
        description="first epochs in which only the new layers are trained; fewer than epochs",
    )
    frozen_blocks: int = Field(
        default=3,
        ge=0,
        le=100,
        description="first blocks of the backbone, with its stem, that keep their pretrained "
        "weights; 0 trains all, and so does model.weights=none",
    )
    drop_path: Annotated[float, Field(ge=0.0, lt=1.0)] | None = Field(
        default=None,
        description="rate of stochastic depth at the backbone's last block, rising from 0 at the "
        "first: the share of images for which a block is left out in training (null: 0 for "
        "EfficientNet-Lite, 0.2 for the others)",
    )
    cross_entropy_weight: float = Field(
        default=1.0, ge=0.0, le=100.0, description="weight of the softmax cross-entropy"
    )
    label_smoothing: Share = Field(default=0.1, description="softmax target smoothing")
    center_loss: CenterLossSettings = CenterLossSettings()
    triplet: TripletSettings = TripletSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    cache_mb: int = Field(
        default=1024,
        ge=0,
        description="training images that, decoded, take up to about so many megabytes are kept in "
        "memory and decoded once; more are decoded each time they come",
    )
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = Field(
        default="auto", description="auto: mixed_bfloat16 on a GPU, float32 elsewhere"
    )
    seed: int = Field(
        default=0, ge=0, description="seed of initial weights, batches and augmentation"
    )

    @model_validator(mode="after")
    def _batches_can_be_made(self) -> TrainingSettings:
        each = self.images_per_class
        if each and (self.batch_size % each or self.batch_size // each < 2):
            raise ValueError(
                f"batch_size={self.batch_size} must hold at least 2 classes of "
                f"images_per_class={each}, with none left over"
            )
        if self.triplet.weight and each < 2:
            raise ValueError("triplet.weight above 0 needs images_per_class of at least 2")
        return self

    @model_validator(mode="after")
    def _something_is_trained(self) -> TrainingSettings:
        if self.epochs and self.head_epochs >= self.epochs:
            raise ValueError(
                f"head_epochs={self.head_epochs} must be below epochs={self.epochs}; "
                "backbone_rate=0 never trains the backbone"
            )
        others = (getattr(section, "weight", 0.0) for _, section in self)
        if self.epochs and not any((self.cross_entropy_weight, *others)):
            raise ValueError("one of the losses must have a weight above 0")
        return self
