"""What each step runs on, in the words of a pipeline spec."""

from __future__ import annotations

from typing import Any

from pipeline.deployment_settings import DeploymentSettings, MachineSettings, resources

# Steps that have a machine of their own in the settings; all others run on every_step's.
_STEPS = {
    "Transform": "transform",
    "Trainer": "trainer",
    "Evaluator": "evaluator",
    "TestEvaluator": "evaluator",
    "ImageEmbedder": "embedder",
    "AddedEmbedder": "embedder",
    "SimilarityIndexer": "indexer",
}


def machine_of(deployment: DeploymentSettings, step: str) -> MachineSettings:
    """Returns what a step runs on; every_step's machine, never its accelerator, fills a gap."""
    machines = deployment.machines
    own: MachineSettings | None = getattr(machines, _STEPS[step]) if step in _STEPS else None
    if own is None:
        return machines.every_step
    if own.machine_type is None:
        return own.model_copy(update={"machine_type": machines.every_step.machine_type})
    return own


def resource_spec(deployment: DeploymentSettings, step: str) -> dict[str, Any]:
    """Returns a step's `PipelineContainerSpec.ResourceSpec` as JSON; empty if nothing is asked for.

    Vertex AI takes the smallest machine that has as many vCPUs and as much memory. Kubeflow's newer
    releases read other fields of the same meaning, so both are there for it.
    """
    machine = machine_of(deployment, step)
    kubeflow = deployment.platform == "kfp"
    spec: dict[str, Any] = {}
    if machine.machine_type:
        cpus, gib = resources(machine.machine_type)
        spec |= {"cpuLimit": float(cpus), "memoryLimit": gib}
        if kubeflow:
            spec |= {"resourceCpuLimit": str(cpus), "resourceMemoryLimit": f"{gib:g}Gi"}
    if machine.accelerator:
        accelerator = {"type": machine.accelerator, "count": str(machine.accelerators)}
        if kubeflow:
            accelerator |= {
                "resourceType": machine.accelerator,
                "resourceCount": str(machine.accelerators),
            }
        spec["accelerator"] = accelerator
    return spec
