"""Compiles the pipeline for Vertex AI or Kubeflow: the same DAG, KubeflowV2DagRunner, and edits.

Nothing is called in the cloud. What the edits are for is said in `spec_edits.py`.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from components.outcome_report.component import OutcomeReport
from pipeline.deployment import places as layout
from pipeline.deployment import spec_edits, training_job
from pipeline.deployment.dataflow import dataflow_args
from pipeline.deployment.machines import resource_spec
from pipeline.deployment.staging import StagedData
from pipeline.local_runner import local_beam_args
from pipeline.pipeline import create_pipeline
from pipeline.places import Places
from pipeline.settings import Settings
from pipeline.settings_loader import SettingsError

# Steps that work with Beam.
BEAM_STEPS = (
    "TfdsExampleGen",
    "StatisticsGen",
    "Transform",
    "Evaluator",
    "TestEvaluator",
    "ImageEmbedder",
    "AddedEmbedder",
    "LeakCheck",
)

# Runtime parameters: the tasks and inputs that they reach, and what a person fills in.
PARAMETERS: Mapping[str, tuple[tuple[tuple[str, str], ...], str]] = {
    "data_folder": (
        (("TfdsExampleGen", "input_base"),),
        "Folder of the prepared dataset, as flowersim prepare --stage names it.",
    ),
    "schema_file": (
        (("ImportSchemaGen", "schema_file"),),
        "The dataset's schema, schema.pbtxt beside the dataset.",
    ),
    "training_config": (
        (("Trainer", "custom_config"),),
        "JSON: the network and its training; epochs, learning rate and the center loss are in "
        "config.training.",
    ),
    "evaluation_config": (
        (("Evaluator", "eval_config"),),
        "JSON: TFMA's EvalConfig, with the thresholds of the blessing.",
    ),
}

EXIT_HANDLER = "OutcomeReport"


def compile_pipeline(settings: Settings, data: StagedData) -> dict[str, Any]:
    """Compiles the DAG.

    Args:
        settings: All knobs; `deployment` says for what, and what its steps run on.
        data: The dataset, where the steps find it.

    Returns:
        A `PipelineJob` as JSON: `pipelineSpec`, `runtimeConfig`, `displayName` and `labels`. Its
        `pipelineSpec` is what Kubeflow takes.

    Raises:
        SettingsError: A setting that the platform needs is missing.
    """
    deployment = settings.deployment
    root = layout.root(settings)
    if not deployment.image:
        raise SettingsError(
            "deployment.image is not set: it must be the container image of the steps, for "
            "instance europe-west4-docker.pkg.dev/PROJECT/flowersim/flowersim:0.1.0"
        )
    dataflow = deployment.beam == "dataflow"
    beam_args = (
        dataflow_args(settings, root) if dataflow else local_beam_args(settings.run.beam_args)
    )
    places = _places(settings, root, data)
    job = _run_compiler(settings, places, root, beam_args)
    spec = job["pipelineSpec"]
    names = list(spec_edits.tasks(spec))
    if deployment.training_job:
        _train_in_a_job(spec, settings)
    elif deployment.trainer_image:
        spec_edits.containers(spec)["Trainer"]["image"] = deployment.trainer_image
    for name, (uses, meaning) in PARAMETERS.items():
        spec_edits.lift_parameter(spec, name, uses, meaning)
    # The Pusher looks at what is served, and at holds; what was blessed last changes, too.
    uncached = ["Pusher", *(["Baseline"] if "Baseline" in names else [])]
    spec_edits.never_cache(spec, uncached)
    in_job = {"Trainer"} if deployment.training_job else set()
    containers = spec_edits.containers(spec)
    spec_edits.set_resources(
        spec,
        {name: resource_spec(deployment, name) for name in containers if name not in in_job},
    )
    spec_edits.keep_beam_arguments(spec, beam_args, BEAM_STEPS)
    if deployment.platform == "kfp":
        spec_edits.drop_drivers(spec)
        spec["defaultPipelineRoot"] = places.pipeline_root
    return validated(job)


def _places(settings: Settings, root: str, data: StagedData) -> Places:
    record = layout.baseline_record(root, settings.run.pipeline_name)
    return Places(
        dataset=data.folder,
        schema=data.schema,
        pipeline_root=layout.artifacts(root),
        checkpoints=layout.checkpoints(root),
        serving=layout.serving(root, settings.serving.model_name),
        # What is served is looked at when the Pusher runs, not when the pipeline is compiled.
        served="",
        ledger=data.ledger,
        baseline=record if settings.deployment.platform == "kfp" else None,
    )


def _run_compiler(
    settings: Settings, places: Places, root: str, beam_args: list[str]
) -> dict[str, Any]:
    """Returns what TFX's compiler makes of the DAG."""
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

    deployment = settings.deployment
    config = kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
        display_name=settings.run.pipeline_name,
        default_image=deployment.image,
        use_pipeline_spec_2_1=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "pipeline.json")
        runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(config, output_filename=file)
        runner.set_exit_handler(
            OutcomeReport(places.serving, layout.outcomes(root), deployment.notify_url).with_id(
                EXIT_HANDLER
            )
        )
        runner.run(create_pipeline(settings, places, beam_args=beam_args))
        with open(file, encoding="utf-8") as compiled:
            return json.load(compiled)


def _train_in_a_job(spec: dict[str, Any], settings: Settings) -> None:
    spec_edits.replace_executor(spec, "Trainer", training_job.EXECUTOR)
    value = spec_edits.tasks(spec)["Trainer"]["inputs"]["parameters"]["custom_config"][
        "runtimeValue"
    ]
    value["constant"] = training_job.with_job(value["constant"], settings.deployment)


def validated(job: dict[str, Any]) -> dict[str, Any]:
    """Returns a `PipelineJob` unchanged if kfp's protos know every field of it.

    Raises:
        google.protobuf.json_format.ParseError: They do not.
    """
    spec = json_format.ParseDict(job["pipelineSpec"], pipeline_spec_pb2.PipelineSpec())
    json_format.ParseDict(
        json_format.MessageToDict(spec.deployment_spec),
        pipeline_spec_pb2.PipelineDeploymentConfig(),
    )
    json_format.ParseDict({**job, "pipelineSpec": {}}, pipeline_spec_pb2.PipelineJob())
    return job
