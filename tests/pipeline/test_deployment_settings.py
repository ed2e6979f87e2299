"""Machines, by the names that Google gives them, and settings that do not go together."""

from __future__ import annotations

import pytest

from pipeline.deployment.machines import machine_of, resource_spec
from pipeline.deployment_settings import resources
from pipeline.settings_loader import SettingsError, load_settings


@pytest.mark.parametrize(
    ("machine", "cpus", "gib"),
    [
        # From the tables of Google's documentation.
        ("e2-standard-4", 4, 16),
        ("n1-standard-8", 8, 30),
        ("n1-highmem-16", 16, 104),
        ("n2-highmem-8", 8, 64),
        ("c2d-highcpu-8", 8, 16),
        ("g2-standard-12", 12, 48),
        ("a2-highgpu-2g", 24, 170),
        ("a3-highgpu-8g", 208, 1872),
        ("6x48", 6, 48),
    ],
)
def test_machines(machine: str, cpus: int, gib: float):
    assert resources(machine) == (cpus, gib)


@pytest.mark.parametrize(
    "machine", ["n9-standard-4", "n1-standard", "0x4", "4x", "a2-highgpu-2", ""]
)
def test_what_is_no_machine_is_refused(machine: str):
    with pytest.raises(SettingsError, match="is no machine; it must be CPUSxGIB"):
        load_settings("demo", [f"deployment.machines.trainer.machine_type={machine!r}"])


def test_steps_have_the_machine_of_every_step_unless_they_have_their_own():
    deployment = load_settings(
        "demo",
        [
            "deployment.machines.every_step.machine_type=4x16",
            "deployment.machines.every_step.accelerator=NVIDIA_L4",
            "deployment.machines.evaluator.machine_type=8x64",
            "deployment.machines.trainer.accelerator=NVIDIA_TESLA_T4",
        ],
    ).deployment
    assert machine_of(deployment, "StatisticsGen").accelerator == "NVIDIA_L4"
    assert resource_spec(deployment, "TestEvaluator") == {"cpuLimit": 8.0, "memoryLimit": 64.0}
    assert resource_spec(deployment, "Trainer") == {
        "cpuLimit": 4.0,
        "memoryLimit": 16.0,
        "accelerator": {"type": "NVIDIA_TESLA_T4", "count": "1"},
    }


def test_nothing_is_asked_for_by_default():
    assert resource_spec(load_settings("demo").deployment, "Trainer") == {}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["platform=kfp", "training_job=true"], "training_job is Vertex AI's"),
        (["platform=kfp", "machines.trainer.accelerator=NVIDIA_L4"], "for instance nvidia.com/gpu"),
        (["machines.trainer.accelerator=nvidia.com/gpu"], "for instance NVIDIA_L4"),
        (["notify_url=chat.example"], "an http or https URL"),
        (["region=Europe"], "a region of Google Cloud"),
    ],
)
def test_what_does_not_go_together_is_refused(overrides: list[str], message: str):
    with pytest.raises(SettingsError, match=message):
        load_settings("demo", [f"deployment.{override}" for override in overrides])
