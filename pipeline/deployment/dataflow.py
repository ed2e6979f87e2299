"""What Beam is told for Google's Dataflow."""

from __future__ import annotations

import os

from pipeline.settings import Settings
from pipeline.settings_loader import SettingsError


def dataflow_args(settings: Settings, root: str) -> list[str]:
    """Returns the Beam options of steps that leave their work to Dataflow.

    Workers run an image with the same code as the steps', so that nothing is packed, uploaded and
    installed for each job.

    Args:
        settings: All knobs.
        root: The pipeline's bucket folder.

    Raises:
        SettingsError: Something that Dataflow needs is not set.
    """
    deployment = settings.deployment
    needed = {
        "project": deployment.project,
        "region": deployment.region,
        "dataflow.image": deployment.dataflow.image,
    }
    for name, value in needed.items():
        if not value:
            raise SettingsError(f"deployment.beam=dataflow needs deployment.{name}")
    if not root.startswith("gs://"):
        raise SettingsError(
            f"deployment.beam=dataflow needs a bucket of Google Cloud: "
            f"deployment.pipeline_root={root} is none"
        )
    workers = deployment.dataflow
    account = workers.service_account or deployment.service_account
    return [
        "--runner=DataflowRunner",
        f"--project={deployment.project}",
        f"--region={deployment.region}",
        f"--temp_location={os.path.join(root, 'dataflow', 'temp')}",
        f"--staging_location={os.path.join(root, 'dataflow', 'staging')}",
        "--experiments=use_runner_v2",
        f"--sdk_container_image={workers.image}",
        "--sdk_location=container",
        f"--machine_type={workers.machine_type}",
        "--autoscaling_algorithm=THROUGHPUT_BASED",
        f"--max_num_workers={workers.max_workers}",
        f"--disk_size_gb={workers.disk_gb}",
        *([f"--service_account_email={account}"] if account else []),
        *([f"--subnetwork={workers.subnetwork}"] if workers.subnetwork else []),
        *([] if workers.public_ips else ["--no_use_public_ips"]),
    ]
