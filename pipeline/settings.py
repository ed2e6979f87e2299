"""Every knob of the pipeline, as one typed, frozen tree.

A field here is the only definition of a setting: its type, range, default and meaning. Presets
(`presets/*.yaml`) and `--set a.b=c` override defaults and are checked against it. How a preset
and overrides become a tree is the business of `settings_loader.py`, not of this file.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from pipeline.deployment_settings import DeploymentSettings
from pipeline.monitoring_settings import MonitoringSettings
from pipeline.report_settings import ReportSettings
from pipeline.serving_check_settings import ServingCheckSettings
from pipeline.settings_section import Probability, Section, Share
from pipeline.training_settings import ModelSettings, TrainingSettings

PositiveInt = Annotated[int, Field(ge=1)]
Split = Literal["train", "validation", "test"]


class SyntheticSettings(Section):
    """The embedded dataset of procedural flowers."""

    classes: int = Field(default=24, ge=2, le=1000, description="number of species")
    train_per_class: int = Field(default=20, ge=2, description="training images of each species")
    validation_per_class: int = Field(
        default=10, ge=2, description="validation images of each species"
    )
    test_per_class: int = Field(default=10, ge=2, description="test images of each species")
    image_size: int = Field(default=128, ge=32, le=1024, description="shorter image side in pixels")
    seed: int = Field(
        default=0, ge=0, description="seed that the species and images are drawn from"
    )


class DivisionSettings(Section):
    """How images are divided into splits when the dataset or the folder's layout does not say."""

    validation_share: Share = Field(
        default=0.15, description="share of each class's photos that becomes the validation split"
    )
    test_share: Share = Field(
        default=0.15, description="share of each class's photos that becomes the test split"
    )
    held_out_classes: Share = Field(
        default=0.0,
        description="share of classes kept whole for the test split, whatever splits the data has, "
        "to measure retrieval of classes never trained on",
    )
    held_out_only: bool = Field(
        default=False, description="leave images of other classes out of the test split"
    )
    seed: int = Field(
        default=0, ge=0, description="seed of the division, and of the classes held out"
    )

    @model_validator(mode="after")
    def _leave_something_to_train_on(self) -> DivisionSettings:
        if self.validation_share + self.test_share >= 1.0:
            raise ValueError("validation_share + test_share must be below 1")
        return self

    @model_validator(mode="after")
    def _hold_out_what_is_left_alone(self) -> DivisionSettings:
        if self.held_out_only and not self.held_out_classes:
            raise ValueError("held_out_only needs a share of held_out_classes above 0")
        return self


class DataSettings(Section):
    """Where the photos come from."""

    dataset: str = Field(
        default="synthetic_flowers",
        pattern=r"^[a-z0-9_]+(/[A-Za-z0-9_.\-]+)?(:[0-9.]+)?$",
        json_schema_extra={"form": "text: NAME, NAME/CONFIG or NAME:VERSION, as TFDS writes them"},
        description="TFDS image-classification dataset; synthetic_flowers is drawn here and "
        "needs no download",
    )
    data_dir: str | None = Field(
        default=None,
        description="TFDS data folder to read from, or to download into (null: the workdir for "
        "synthetic flowers and own photos, TFDS's own default for others)",
    )
    folder: str | None = Field(
        default=None,
        description="folder of photos to use in place of a dataset: CLASS/*.jpg, or "
        "SPLIT/CLASS/*.jpg with splits train, validation and test",
    )
    max_bad_share: Share = Field(
        default=0.05,
        description="share of images that may be undecodable; they are left out, and above it the "
        "run fails",
    )
    drop_leaks: bool = Field(
        default=False,
        description="leave out of validation and test what is byte for byte an image of an "
        "earlier split (train, validation, test)",
    )
    division: DivisionSettings = DivisionSettings()
    synthetic: SyntheticSettings = SyntheticSettings()


class ImageSettings(Section):
    """The canonical image that every later step reads."""

    canonical_size: int = Field(
        default=256, ge=16, le=1024, description="shorter side is reduced to this; never enlarged"
    )
    transform_batch_size: int = Field(
        default=32, ge=1, le=1000, description="images that Transform holds in memory at once"
    )


class EvaluationSettings(Section):
    """What is measured, and what a model must reach to be blessed."""

    ks: Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=1)] = Field(
        default=(1, 5, 10),
        description="cut-offs k of recall@k, precision@k, average_precision@k and ndcg@k; must "
        "contain 1",
    )
    min_recall_at_1: Probability = Field(
        default=0.5, description="blessing threshold, validation split"
    )
    min_map_at_r: Probability = Field(
        default=0.0, description="blessing threshold, validation split"
    )
    allowed_drop: Probability = Field(
        default=0.02, description="recall@1 a model may lose against the last blessed one"
    )
    slice_by_class: bool = Field(
        default=True, description="also report every metric for each class"
    )
    gallery_splits: Annotated[tuple[Literal["train", "validation"], ...], Field(strict=False)] = (
        Field(
            default=(),
            description="splits that the queries of validation and test are searched in; none: in "
            "their own split (a query is never among its own answers)",
        )
    )

    near_duplicates: Literal["ignore", "report", "leave_out"] = Field(
        default="report",
        description="images of validation and test that look like one of an earlier split (train, "
        "validation, test): do not look for them, list them in the summary, or also leave them out "
        "of the evaluation",
    )
    duplicate_likeness: float = Field(
        default=0.88,
        gt=0.0,
        le=1.0,
        description="correlation of details, wherever one photo's frame lies in the other, from "
        "which on two photos are near-duplicates",
    )

    @model_validator(mode="after")
    def _one_is_among_the_ks(self) -> EvaluationSettings:
        if 1 not in self.ks or len(set(self.ks)) != len(self.ks):
            raise ValueError("ks must be distinct and contain 1")
        return self

    @model_validator(mode="after")
    def _each_gallery_split_once(self) -> EvaluationSettings:
        if len(set(self.gallery_splits)) != len(self.gallery_splits):
            raise ValueError("gallery_splits names a split twice")
        return self


class GallerySettings(Section):
    """What the served model searches."""

    splits: Annotated[tuple[Split, ...], Field(strict=False, min_length=1)] = Field(
        default=("train", "validation"), description="splits whose images can be found"
    )
    neighbours: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="K, the neighbours in each answer; clients may cut it",
    )
    calibration_split: Split = Field(
        default="validation", description="split whose queries set the match threshold"
    )
    match_precision: float = Field(
        default=0.9,
        gt=0.0,
        lt=1.0,
        description="share of calibration pairs called a match that are of the same class",
    )
    search: Literal["exact", "routed"] = Field(
        default="exact",
        description="exact compares a photo with every image; routed only with those of the "
        "classes nearest to it (large classes split, small ones put together), which pays from "
        "some 100,000 images on and can miss some of the nearest; the summary says how many",
    )
    probes: int = Field(
        default=32,
        ge=1,
        le=100_000,
        description="P of the routed search, the classes or parts of classes that are looked into: "
        "more find more and take longer; without effect on the exact search",
    )
    thumbnail_size: int = Field(
        default=96, ge=16, le=512, description="shorter side of thumbnails, in pixels"
    )

    @model_validator(mode="after")
    def _each_split_once(self) -> GallerySettings:
        if len(set(self.splits)) != len(self.splits):
            raise ValueError("splits must be distinct")
        return self


class ServingSettings(Section):
    """Where a blessed model is pushed to."""

    model_name: str = Field(
        default="flowers",
        pattern=r"^[A-Za-z0-9_\-]+$",
        json_schema_extra={"form": "text: letters, digits, _ and -"},
        description="name in the REST URL",
    )


class RunSettings(Section):
    """How the DAG is executed on this machine."""

    pipeline_name: str = Field(
        default="flowersim",
        pattern=r"^[a-z0-9][a-z0-9\-]{0,127}$",
        json_schema_extra={"form": "text: lower-case letters, digits and -, at most 128"},
        description="name in ML Metadata and on Kubeflow",
    )
    cache: bool = Field(default=True, description="reuse results of unchanged steps")
    metadata: str | None = Field(
        default=None,
        pattern=r"^mysql://\S+$",
        json_schema_extra={"form": "text: mysql://USER@HOST:PORT/DATABASE"},
        description="MySQL database of ML Metadata that several workdirs share, and with it "
        "lineage, cache and baseline; its password is taken from the environment variable "
        "FLOWERSIM_METADATA_PASSWORD (null: metadata.sqlite in the workdir)",
    )
    beam_args: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        default=("--runner=FnApiRunner",), description="Apache Beam options of every Beam step"
    )


class Settings(Section):
    """The root of the tree."""

    data: DataSettings = DataSettings()
    images: ImageSettings = ImageSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    gallery: GallerySettings = GallerySettings()
    serving: ServingSettings = ServingSettings()
    serving_check: ServingCheckSettings = ServingCheckSettings()
    report: ReportSettings = ReportSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    deployment: DeploymentSettings = DeploymentSettings()
    run: RunSettings = RunSettings()

    @property
    def embedded_splits(self) -> tuple[Split, ...]:
        """The splits whose images are embedded for what comes behind the Trainer."""
        wanted = {*self.gallery.splits, self.gallery.calibration_split}
        look_everywhere = self.evaluation.near_duplicates != "ignore" or self.report.enabled
        return tuple(split for split in get_args(Split) if look_everywhere or split in wanted)
