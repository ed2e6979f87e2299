"""Compiled pipelines: against golden files, the official protos, and what each platform takes.

After a wanted change, `UPDATE_GOLDEN=1 make test ARGS=tests/pipeline/deployment` writes the golden
files anew; read their diff.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline.deployment import spec_edits
from pipeline.deployment.compilation import PARAMETERS, compile_pipeline
from pipeline.deployment.output import as_text
from pipeline.deployment.staging import StagedData
from pipeline.places import LedgerPlace
from pipeline.settings_loader import SettingsError, load_settings

GOLDEN = pathlib.Path(__file__).with_name("golden")

ROOT = "gs://bucket/flowersim"
DATA = StagedData(f"{ROOT}/data/0/flowers/1.0.0", f"{ROOT}/data/0/flowers/1.0.0/schema.pbtxt")
COMMON = ("deployment.image=registry.example/flowersim:1.2.3", f"deployment.pipeline_root={ROOT}")

VERTEX = (
    *COMMON,
    "deployment.project=a-project",
    "deployment.region=europe-west4",
    "deployment.service_account=runner@a-project.iam.gserviceaccount.com",
    "deployment.trainer_image=registry.example/flowersim-gpu:1.2.3",
    "deployment.machines.every_step.machine_type=e2-standard-4",
    "deployment.machines.trainer.machine_type=g2-standard-8",
    "deployment.machines.trainer.accelerator=NVIDIA_L4",
    "deployment.machines.evaluator.machine_type=n2-highmem-8",
    "deployment.machines.indexer.machine_type=n2-highmem-8",
    "deployment.beam=dataflow",
    "deployment.dataflow.image=registry.example/flowersim-dataflow:1.2.3",
    "deployment.dataflow.max_workers=20",
)
KUBEFLOW = (
    *COMMON,
    "deployment.platform=kfp",
    "deployment.machines.trainer.machine_type=8x32",
    "deployment.machines.trainer.accelerator=nvidia.com/gpu",
    "deployment.machines.trainer.accelerators=2",
    "deployment.notify_url=https://chat.example/hook",
)


def _compile(overrides: tuple[str, ...], data: StagedData = DATA) -> dict[str, Any]:
    return compile_pipeline(load_settings("demo", overrides), data)


@pytest.fixture(scope="module")
def vertex() -> dict[str, Any]:
    return _compile(VERTEX)


@pytest.fixture(scope="module")
def kubeflow() -> dict[str, Any]:
    return _compile(KUBEFLOW)


def _stable(text: str) -> str:
    """Without what changes with every edit of a component and every version of a library."""
    # Digests of code stand in JSON, in JSON within JSON, and after YAML's line breaks.
    text = re.sub(
        r"(code(?:_hash)?\\*\"?:\s*(?:runtimeValue:\s*constant: |\{\s*\"runtimeValue\":"
        r"\s*\{\s*\"constant\": )?\\*[\"']?)[0-9a-f]{16}",
        r"\1CODE",
        text,
    )
    return re.sub(
        r"(tfx_version\": \")[0-9-]+|(tfx_py_version\": \")[0-9-]+|(sdkVersion\W+)tfx-[0-9.]+",
        lambda match: next(filter(None, match.groups())) + "VERSION",
        text,
    )


@pytest.mark.parametrize(
    ("fixture", "name", "platform"),
    [("vertex", "vertex.json", "vertex"), ("kubeflow", "kubeflow.yaml", "kfp")],
)
def test_the_spec_is_the_golden_one(
    fixture: str, name: str, platform: str, request: pytest.FixtureRequest
):
    text = _stable(as_text(request.getfixturevalue(fixture), platform))
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, "utf-8")
    assert text.splitlines() == path.read_text("utf-8").splitlines()


def test_vertex_is_asked_for_machines_images_and_dataflow(vertex: dict[str, Any]):
    containers = spec_edits.containers(vertex["pipelineSpec"])
    assert containers["Trainer"]["resources"] == {
        "cpuLimit": 8.0,
        "memoryLimit": 32.0,
        "accelerator": {"type": "NVIDIA_L4", "count": "1"},
    }
    for name in ("Evaluator", "TestEvaluator", "SimilarityIndexer"):
        assert containers[name]["resources"] == {"cpuLimit": 8.0, "memoryLimit": 64.0}
    # An ExampleGen too, whose resources TFX's compiler ignores.
    for name in ("TfdsExampleGen", "Pusher", "OutcomeReport"):
        assert containers[name]["resources"] == {"cpuLimit": 4.0, "memoryLimit": 16.0}
    images = {name: container["image"] for name, container in containers.items()}
    assert images.pop("Trainer") == "registry.example/flowersim-gpu:1.2.3"
    assert set(images.values()) == {"registry.example/flowersim:1.2.3"}
    for name in ("Transform", "ImageEmbedder", "Evaluator"):
        assert "--runner=DataflowRunner" in containers[name]["args"]
        assert "--max_num_workers=20" in containers[name]["args"]
        image = "--sdk_container_image=registry.example/flowersim-dataflow:1.2.3"
        assert image in containers[name]["args"]
        assert (
            "--service_account_email=runner@a-project.iam.gserviceaccount.com"
            in containers[name]["args"]
        )
    for name in ("Trainer", "Pusher", "ServingCheck"):
        assert not any("runner=" in argument for argument in containers[name]["args"])
    assert vertex["runtimeConfig"]["gcsOutputDirectory"] == f"{ROOT}/pipeline_root"


def test_kubeflow_gets_nothing_that_it_refuses(kubeflow: dict[str, Any]):
    """Its backend knows containers and importers, and runs no hooks before its cache."""
    spec = kubeflow["pipelineSpec"]
    kinds = {kind for executor in spec["deploymentSpec"]["executors"].values() for kind in executor}
    assert kinds == {"container"}
    for container in spec_edits.containers(spec).values():
        assert "lifecycle" not in container
    resources = spec_edits.containers(spec)["Trainer"]["resources"]
    assert resources["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert resources["accelerator"]["resourceCount"] == "2"
    assert (resources["resourceCpuLimit"], resources["resourceMemoryLimit"]) == ("8", "32Gi")
    assert spec["defaultPipelineRoot"] == f"{ROOT}/pipeline_root"


@pytest.mark.parametrize("fixture", ["vertex", "kubeflow"])
def test_names_and_types_are_legal(fixture: str, request: pytest.FixtureRequest):
    spec = request.getfixturevalue(fixture)["pipelineSpec"]
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,127}", spec["pipelineInfo"]["name"])
    names = [*spec["components"], *spec_edits.tasks(spec), *spec["root"]["dag"]["tasks"]]
    for name in names:
        # Argo's form of names, to which Kubeflow compiles.
        assert re.fullmatch(r"[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?", name), name
        assert name != "root", "reserved by Kubeflow"
    for component in spec["components"].values():
        for definitions in ("inputDefinitions", "outputDefinitions"):
            for parameter in component.get(definitions, {}).get("parameters", {}).values():
                assert parameter["parameterType"] in {"STRING", "NUMBER_INTEGER"}
            for artifact in component.get(definitions, {}).get("artifacts", {}).values():
                title = yaml.safe_load(artifact["artifactType"]["instanceSchema"])["title"]
                assert re.fullmatch(r"(tfx|components)\.[A-Za-z]+", title)


@pytest.mark.parametrize(("fixture", "platform"), [("vertex", "vertex"), ("kubeflow", "kfp")])
def test_the_official_protos_know_every_field(
    fixture: str, platform: str, request: pytest.FixtureRequest
):
    written = yaml.safe_load(as_text(request.getfixturevalue(fixture), platform))
    spec = written["pipelineSpec"] if platform == "vertex" else written
    parsed = json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    config = json_format.ParseDict(
        spec["deploymentSpec"], pipeline_spec_pb2.PipelineDeploymentConfig()
    )
    assert set(config.executors) == {
        component.executor_label
        for name, component in parsed.components.items()
        if name != spec_edits.INNER_DAG
    }


@pytest.mark.parametrize("fixture", ["vertex", "kubeflow"])
def test_every_reference_leads_somewhere(fixture: str, request: pytest.FixtureRequest):
    """TFX leaves tasks under an exit handler with parameters that their DAG does not have."""
    spec = request.getfixturevalue(fixture)["pipelineSpec"]
    for component in (spec["root"], spec["components"][spec_edits.INNER_DAG]):
        has = set(component.get("inputDefinitions", {}).get("parameters", {}))
        tasks = component["dag"]["tasks"]
        for name, task in tasks.items():
            wants = spec["components"][task["componentRef"]["name"]]
            for key, given in task.get("inputs", {}).get("parameters", {}).items():
                assert key in wants["inputDefinitions"]["parameters"], (name, key)
                if "componentInputParameter" in given:
                    assert given["componentInputParameter"] in has, (name, key)
            for given in task.get("inputs", {}).get("artifacts", {}).values():
                source = given["taskOutputArtifact"]
                made = spec["components"][tasks[source["producerTask"]]["componentRef"]["name"]]
                assert source["outputArtifactKey"] in made["outputDefinitions"]["artifacts"]
            assert set(task.get("dependentTasks", [])) <= set(tasks)


def test_runtime_parameters_keep_their_defaults(vertex: dict[str, Any]):
    parameters = vertex["pipelineSpec"]["root"]["inputDefinitions"]["parameters"]
    assert set(parameters) == set(PARAMETERS)
    assert parameters["data_folder"]["defaultValue"] == DATA.folder
    training = json.loads(parameters["training_config"]["defaultValue"])["config"]["training"]
    settings = load_settings("demo").training
    assert training["epochs"] == settings.epochs == 6
    assert training["learning_rate"] == settings.learning_rate
    assert training["center_loss"]["weight"] == settings.center_loss.weight
    evaluation = json.loads(parameters["evaluation_config"]["defaultValue"])
    first = evaluation["metrics_specs"][0]["metrics"][0]["per_slice_thresholds"][0]["threshold"]
    assert first["value_threshold"]["lower_bound"] == 0.6


def test_what_depends_on_the_outside_is_never_cached(
    vertex: dict[str, Any], kubeflow: dict[str, Any]
):
    assert "cachingOptions" not in spec_edits.tasks(vertex["pipelineSpec"])["Pusher"]
    tasks = spec_edits.tasks(kubeflow["pipelineSpec"])
    assert "cachingOptions" not in tasks["Pusher"]
    assert "cachingOptions" not in tasks["Baseline"]
    assert tasks["Trainer"]["cachingOptions"] == {"enableCache": True}


def test_a_training_job_gets_the_machine_and_the_step_does_not():
    spec = _compile((*VERTEX, "deployment.training_job=true", "deployment.beam=in_step"))[
        "pipelineSpec"
    ]
    trainer = spec_edits.containers(spec)["Trainer"]
    assert "resources" not in trainer
    assert trainer["image"] == "registry.example/flowersim:1.2.3"
    path = trainer["args"][trainer["args"].index("--executor_class_path") + 1]
    assert path == "tfx.extensions.google_cloud_ai_platform.trainer.executor.GenericExecutor"
    default = spec["root"]["inputDefinitions"]["parameters"]["training_config"]["defaultValue"]
    config = json.loads(default)
    job = config["ai_platform_training_args"]
    assert job["project"] == "a-project"
    pool = job["job_spec"]["worker_pool_specs"][0]
    assert pool["machine_spec"] == {
        "machine_type": "g2-standard-8",
        "accelerator_type": "NVIDIA_L4",
        "accelerator_count": 1,
    }
    assert pool["container_spec"]["image_uri"] == "registry.example/flowersim-gpu:1.2.3"
    assert job["job_spec"]["service_account"].startswith("runner@")
    assert config["ai_platform_vertex_region"] == "europe-west4"
    assert config["config"]["training"]["epochs"] == 6


def test_a_ledger_goes_with_the_pipeline():
    ledger = LedgerPlace(f"{ROOT}/gallery/abc", "abc")
    data = StagedData(DATA.folder, DATA.schema, ledger)
    tasks = spec_edits.tasks(_compile(COMMON, data)["pipelineSpec"])
    given = tasks["GalleryEdit"]["inputs"]["parameters"]
    assert given["ledger"]["runtimeValue"]["constant"] == ledger.folder
    assert "GalleryEdit" in tasks["SimilarityIndexer"]["dependentTasks"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((COMMON[1],), "deployment.image is not set"),
        ((COMMON[0],), "deployment.pipeline_root is not set"),
        ((COMMON[0], "deployment.pipeline_root=s3://b/f"), "pipeline_root=s3://b/f is not allowed"),
        ((*COMMON, "deployment.beam=dataflow"), "dataflow needs deployment.project"),
        (
            (
                *COMMON,
                "deployment.beam=dataflow",
                "deployment.project=a",
                "deployment.region=us-east1",
            ),
            "dataflow needs deployment.dataflow.image",
        ),
        (
            (*VERTEX, "deployment.pipeline_root=/srv/flowersim"),
            "needs a bucket of Google Cloud: deployment.pipeline_root=/srv/flowersim is none",
        ),
        ((*COMMON, "deployment.training_job=true"), "training_job=true needs deployment.project"),
        (
            (
                *VERTEX,
                "deployment.training_job=true",
                "deployment.machines.trainer.machine_type=8x32",
            ),
            "machine_type=8x32: a training job needs a machine type of Google Cloud",
        ),
    ],
)
def test_what_is_missing_is_named(overrides: tuple[str, ...], message: str):
    with pytest.raises(SettingsError, match=re.escape(message)):
        _compile(overrides)
