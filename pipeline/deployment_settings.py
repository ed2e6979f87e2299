"""The settings of pipelines compiled for a cluster, a part of the tree in `settings.py`.

What a local run needs is none of it.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pipeline.settings_section import Section

# Memory in GiB for each vCPU of Google's machine families, by their kinds.
_MEMORY = {
    "e2": {"standard": 4.0, "highmem": 8.0, "highcpu": 1.0},
    "n1": {"standard": 3.75, "highmem": 6.5, "highcpu": 0.9},
    "n2": {"standard": 4.0, "highmem": 8.0, "highcpu": 1.0},
    "n2d": {"standard": 4.0, "highmem": 8.0, "highcpu": 1.0},
    "c2": {"standard": 4.0},
    "c2d": {"standard": 4.0, "highmem": 8.0, "highcpu": 2.0},
    "c3": {"standard": 4.0, "highmem": 8.0, "highcpu": 2.0},
    "g2": {"standard": 4.0},
}
# Those that are counted in GPUs: vCPUs and GiB for each.
_BY_GPU = {"a2-highgpu": (12, 85.0), "a2-ultragpu": (12, 170.0), "a3-highgpu": (26, 234.0)}


def resources(machine: str) -> tuple[int, float]:
    """Returns the vCPUs and the memory in GiB of a machine.

    Args:
        machine: A machine type of Google Cloud, for instance `n2-highmem-8`, or `CPUSxGIB`, for
            instance `8x64`.

    Raises:
        ValueError: It is neither.
    """
    if match := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", machine):
        return int(match[1]), float(match[2])
    if match := re.fullmatch(r"(\w+)-([a-z]+)-([1-9]\d*)", machine):
        memory = _MEMORY.get(match[1], {}).get(match[2])
        if memory is not None:
            return int(match[3]), int(match[3]) * memory
    if (match := re.fullmatch(r"(\w+-\w+)-([1-9]\d*)g", machine)) and match[1] in _BY_GPU:
        cpus, gib = _BY_GPU[match[1]]
        return int(match[2]) * cpus, int(match[2]) * gib
    known = [f"{family}-{kind}-N" for family, kinds in _MEMORY.items() for kind in kinds]
    raise ValueError(
        f"{machine!r} is no machine; it must be CPUSxGIB, as in 8x32, or one of "
        f"{', '.join([*known, *(f'{name}-Ng' for name in _BY_GPU)])}"
    )


def _known_machine(machine: str) -> str:
    resources(machine)
    return machine


Machine = Annotated[str, AfterValidator(_known_machine)]


class MachineSettings(Section):
    """What a step runs on."""

    machine_type: Machine | None = Field(
        default=None,
        description="machine type of Google Cloud, or CPUSxGIB, as in 8x32 (null: what every_step "
        "says, and what the platform gives if that says nothing)",
    )
    accelerator: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_.\-]+(/[A-Za-z0-9_.\-]+)?$",
        json_schema_extra={"form": "text: NVIDIA_L4 and the like, or nvidia.com/gpu"},
        description="kind of GPU, as the platform calls it: NVIDIA_L4 on Vertex AI, nvidia.com/gpu "
        "on Kubeflow (null: none)",
    )
    accelerators: int = Field(default=1, ge=1, le=16, description="how many of these")


class MachinesSettings(Section):
    """What the steps run on."""

    every_step: MachineSettings = MachineSettings()
    transform: MachineSettings = MachineSettings()
    trainer: MachineSettings = MachineSettings()
    evaluator: MachineSettings = MachineSettings()
    embedder: MachineSettings = MachineSettings()
    indexer: MachineSettings = MachineSettings()


class DataflowSettings(Section):
    """Google's service for Beam, where `beam` says so."""

    image: str | None = Field(
        default=None,
        description="container image of the workers, target dataflow of deploy/image/Dockerfile",
    )
    machine_type: Machine = Field(
        default="n1-standard-4", description="machine type of each worker"
    )
    max_workers: int = Field(default=8, ge=1, le=1000, description="of a step at once")
    disk_gb: int = Field(default=50, ge=30, le=2000, description="disk of each worker, in GB")
    service_account: str | None = Field(
        default=None, description="e-mail address of the workers' account (null: the steps' own)"
    )
    subnetwork: str | None = Field(
        default=None,
        description="regions/REGION/subnetworks/NAME of the workers (null: the default network)",
    )
    public_ips: bool = Field(
        default=False,
        description="give workers public addresses; without, their subnetwork needs Private Google "
        "Access",
    )


class DeploymentSettings(Section):
    """Vertex AI or Kubeflow Pipelines, for `flowersim compile` and `flowersim submit`."""

    platform: Literal["vertex", "kfp"] = Field(
        default="vertex", description="what the pipeline is compiled for: Vertex AI or Kubeflow"
    )
    image: str | None = Field(
        default=None, description="container image of the steps, with its tag or digest"
    )
    trainer_image: str | None = Field(
        default=None, description="of the Trainer, where that needs another (null: image)"
    )
    pipeline_root: str | None = Field(
        default=None,
        description="folder of all that a deployed pipeline reads and writes, laid out as a "
        "workdir: gs://BUCKET/FOLDER, or a local path for flowersim execute",
    )
    data_folder: str | None = Field(
        default=None,
        description="the staged dataset (null: where flowersim prepare --stage puts the dataset of "
        "these settings)",
    )
    project: str | None = Field(
        default=None, description="Google Cloud project of Dataflow and of training jobs"
    )
    region: str | None = Field(
        default=None,
        pattern=r"^[a-z]+-[a-z]+\d+$",
        json_schema_extra={"form": "text: a region of Google Cloud, for instance europe-west4"},
        description="Google Cloud region of Dataflow and of training jobs",
    )
    service_account: str | None = Field(
        default=None,
        description="e-mail address of the account of Dataflow's workers and of training jobs; "
        "for the steps themselves flowersim submit takes it (null: the platform's default)",
    )
    machines: MachinesSettings = MachinesSettings()
    training_job: bool = Field(
        default=False,
        description="train in a Vertex AI custom job of its own, which the Trainer's step starts "
        "and waits for; machines.trainer is then the job's",
    )
    beam: Literal["in_step", "dataflow"] = Field(
        default="in_step",
        description="where Beam works: in the step's own container, or on Dataflow's workers",
    )
    dataflow: DataflowSettings = DataflowSettings()
    notify_url: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        json_schema_extra={"form": "text: an http or https URL"},
        description="where the outcome of each run is posted to as JSON, beside the file in "
        "outcomes/ (null: nowhere)",
    )

    @model_validator(mode="after")
    def _google_alone_has_it(self) -> DeploymentSettings:
        if self.platform == "kfp" and self.training_job:
            raise ValueError("training_job is Vertex AI's: platform=kfp has none")
        return self

    @model_validator(mode="after")
    def _accelerators_are_named_as_the_platform_does(self) -> DeploymentSettings:
        for name, machine in self.machines:
            kind = machine.accelerator
            if kind and ("/" in kind) != (self.platform == "kfp"):
                example = "nvidia.com/gpu" if self.platform == "kfp" else "NVIDIA_L4"
                raise ValueError(
                    f"machines.{name}.accelerator={kind} is no name of platform={self.platform}, "
                    f"where it is called for instance {example}"
                )
        return self
