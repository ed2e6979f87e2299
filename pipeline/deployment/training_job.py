"""The Trainer as a Vertex AI custom job: TFX's executor for it, and what that is told."""

from __future__ import annotations

import json
from typing import Any

from pipeline.deployment_settings import DeploymentSettings
from pipeline.settings_loader import SettingsError

EXECUTOR = "tfx.extensions.google_cloud_ai_platform.trainer.executor.GenericExecutor"

# A machine must be named, and this is what Vertex AI itself gives to steps.
DEFAULT_MACHINE = "e2-standard-4"


def with_job(custom_config: str, deployment: DeploymentSettings) -> str:
    """Adds to the Trainer's configuration what its job runs on.

    Args:
        custom_config: The Trainer's, as JSON.
        deployment: Project, region, image, account and machine.

    Returns:
        The same with the keys that `EXECUTOR` reads.

    Raises:
        SettingsError: Something that a job needs is not set.
    """
    for name in ("project", "region"):
        if not getattr(deployment, name):
            raise SettingsError(f"deployment.training_job=true needs deployment.{name}")
    machine = deployment.machines.trainer
    if machine.machine_type and "x" in machine.machine_type.partition("-")[0]:
        raise SettingsError(
            f"deployment.machines.trainer.machine_type={machine.machine_type}: a training job "
            "needs a machine type of Google Cloud, for instance g2-standard-8"
        )
    spec: dict[str, Any] = {"machine_type": machine.machine_type or DEFAULT_MACHINE}
    if machine.accelerator:
        spec |= {
            "accelerator_type": machine.accelerator,
            "accelerator_count": machine.accelerators,
        }
    job: dict[str, Any] = {
        "worker_pool_specs": [
            {
                "machine_spec": spec,
                "replica_count": 1,
                "container_spec": {"image_uri": deployment.trainer_image or deployment.image},
            }
        ],
    }
    if deployment.service_account:
        job["service_account"] = deployment.service_account
    config = json.loads(custom_config) | {
        "ai_platform_training_args": {"project": deployment.project, "job_spec": job},
        "ai_platform_enable_vertex": True,
        "ai_platform_vertex_region": deployment.region,
    }
    return json.dumps(config, sort_keys=True)
