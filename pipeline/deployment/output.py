"""A compiled pipeline as a file, and what of it a person should see."""

from __future__ import annotations

import json
import os
import pathlib
import shlex
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from pipeline.deployment import spec_edits
from pipeline.deployment.staging import StagedData, is_staged
from pipeline.deployment.training_job import DEFAULT_MACHINE
from pipeline.settings import Settings


class _Dumper(yaml.SafeDumper):
    """YAML with texts of several lines as such."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def as_text(job: dict[str, Any], platform: str) -> str:
    """Returns a `PipelineJob` in the form that a platform takes: JSON, or its spec as YAML."""
    if platform == "kfp":
        return yaml.dump(job["pipelineSpec"], Dumper=_Dumper, sort_keys=True, width=100)
    return json.dumps(job, indent=2, sort_keys=True) + "\n"


def write(job: dict[str, Any], path: pathlib.Path, platform: str) -> None:
    """Writes it, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(as_text(job, platform), "utf-8")
    os.replace(partial, path)


def describe(
    job: dict[str, Any], settings: Settings, data: StagedData, path: pathlib.Path, console: Console
) -> None:
    """Prints what was compiled: the steps, what each runs on, and what to do with it."""
    deployment, spec = settings.deployment, job["pipelineSpec"]
    containers = spec_edits.containers(spec)
    table = Table(box=None, pad_edge=False)
    for heading in ("step", "machine", "accelerator"):
        table.add_column(heading)
    for name in spec_edits.tasks(spec):
        if name in containers:
            table.add_row(name, *_resources(containers[name].get("resources", {})))
    console.print(f"{path}: {settings.run.pipeline_name} for {deployment.platform}", markup=False)
    console.print(table)
    if deployment.training_job:
        machine = deployment.machines.trainer
        console.print(
            f"training job  {machine.machine_type or DEFAULT_MACHINE}"
            + (f", {machine.accelerators} × {machine.accelerator}" if machine.accelerator else "")
        )
    console.print(f"image   {deployment.image}", soft_wrap=True, markup=False)
    if deployment.trainer_image:
        console.print(f"        {deployment.trainer_image} (Trainer)", soft_wrap=True, markup=False)
    console.print(f"beam    {'Dataflow' if deployment.beam == 'dataflow' else 'in each step'}")
    console.print(f"data    {data.folder}", soft_wrap=True, markup=False)
    if not is_staged(data):
        console.print(
            "        not there yet, or not readable from here: flowersim prepare --stage with the "
            "same settings puts it there"
        )
    if data.ledger:
        console.print(f"ledger  {data.ledger.folder}", soft_wrap=True, markup=False)
    names = ", ".join(spec["root"]["inputDefinitions"]["parameters"])
    console.print(f"parameters  {names}", markup=False)
    here = shlex.join(["flowersim", "execute", str(path)])
    console.print(f"\ntry it here:  {here}", soft_wrap=True, markup=False)
    console.print(f"submit it:    {_submission(settings, path)}", soft_wrap=True, markup=False)


def _submission(settings: Settings, path: pathlib.Path) -> str:
    deployment = settings.deployment
    words = ["flowersim", "submit", str(path)]
    if deployment.platform == "kfp":
        words += ["--host", "URL"]
    else:
        words += ["--project", deployment.project or "PROJECT"]
        words += ["--region", deployment.region or "REGION"]
    if deployment.service_account:
        words += ["--service-account", deployment.service_account]
    return shlex.join([*words, "--wait"])


def _resources(spec: dict[str, Any]) -> tuple[str, str]:
    machine = "–"
    if "cpuLimit" in spec:
        machine = f"{spec['cpuLimit']:g} vCPU, {spec['memoryLimit']:g} GiB"
    accelerator = spec.get("accelerator")
    return machine, f"{accelerator['count']} × {accelerator['type']}" if accelerator else "–"
