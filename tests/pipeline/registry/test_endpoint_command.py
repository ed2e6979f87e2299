"""`flowersim endpoint`, asked of services that speak Vertex AI's real messages."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.cli import main
from tests.pipeline.registry.conftest import PARENT

PLACE = ["--project", "my-project", "--region", "europe-west4"]
IMAGE = "europe-west4-docker.pkg.dev/p/r/server:1"
OWN = "europe-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
STAGED = ["--image", IMAGE, "--staging", "gs://bucket/staging"]


@pytest.fixture
def deploy(registry, push: Callable[..., pathlib.Path], bucket: pathlib.Path) -> Callable[..., int]:
    """Gives `deploy(version, *arguments)`: the exit status; the version is pushed before."""

    def run(version: int, *arguments: str) -> int:
        folder = bucket.parent / "serving" / "flowers" / str(version)
        if not folder.exists():
            push(version)
        return main(["endpoint", "deploy", str(folder), *STAGED, *PLACE, *arguments])

    return run


def act(*words: str) -> int:
    return main(["endpoint", *words, *PLACE])


def test_upload(
    registry,
    push: Callable[..., pathlib.Path],
    bucket: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
):
    folder = push(7)
    summary = {
        "blessed": True,
        "pushed_model": str(folder),
        "metrics": {
            "validation": {"recall_at_1": 0.74376, "map_at_r": 1.0, "precision_at_5": 0.5},
            "test": {"recall_at_1": 0.5, "map_at_r": None},
        },
    }
    (tmp_path / "summary.json").write_text(json.dumps(summary), "utf-8")
    told = ["--summary", str(tmp_path / "summary.json")]
    assert act("upload", str(folder), *STAGED, *told) == 0
    assert capsys.readouterr().out == f"registered as {PARENT}/models/1@1\n"
    (request,) = registry.server.requests("UploadModel")
    model = request.model
    assert request.parent == PARENT and request.parent_model == ""
    assert model.display_name == "flowers" and list(model.version_aliases) == ["v7"]
    assert dict(model.labels) == {
        "flowersim_version": "7",
        "blessed": "true",
        "validation_recall_at_1": "0_7438",
        "validation_map_at_r": "1_0000",
        "test_recall_at_1": "0_5000",
    }
    # The container finds a base path with one version, as TensorFlow Serving wants it.
    assert model.artifact_uri == "gs://bucket/staging/flowers/7"
    assert (bucket / "staging/flowers/7/7/variables/data").read_bytes() == b"weights 7"
    container = model.container_spec
    assert container.image_uri == IMAGE and container.ports[0].container_port == 8080
    assert container.predict_route == "/v1/models/flowers:predict"
    assert list(container.args) == [
        "--model_name=flowers",
        "--model_base_path=$(AIP_STORAGE_URI)",
        "--rest_api_port=8080",
    ]

    # Once more it is there; another version belongs to the same model.
    assert act("upload", str(folder), *STAGED) == 0
    assert capsys.readouterr().out == f"registered already as {PARENT}/models/1@1\n"
    assert act("upload", str(push(8)), *STAGED) == 0
    assert capsys.readouterr().out == f"registered as {PARENT}/models/1@2\n"
    assert registry.server.requests("UploadModel")[-1].parent_model == f"{PARENT}/models/1"


def test_the_container_serves(tmp_path: pathlib.Path):
    """The embedded server, started as Vertex AI would start its image, with a staged model."""
    import httpx
    import tensorflow as tf

    from pipeline.registry.container import container_spec
    from pipeline.registry.pushed_version import read_version, stage
    from serving.model_server import running_server
    from serving.options import parse_flags

    double = tf.function(
        lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([None], tf.float32, name="x")]
    )
    module = tf.Module()
    tf.saved_model.save(module, str(tmp_path / "9"), signatures=double.get_concrete_function())
    version = read_version(str(tmp_path / "9"))
    assert version.tensorflow == tf.__version__
    base = stage(version, str(tmp_path / "staging"), "flowers")
    container = container_spec(IMAGE, "flowers")
    # What the image's entrypoint sets, then what the container adds.
    flags = ["--rest_api_port=8501", "--port=0"]
    flags += [word.replace("$(AIP_STORAGE_URI)", base) for word in container.args]
    options = parse_flags(flags)
    assert options.rest_api_port == container.ports[0].container_port
    with running_server(dataclasses.replace(options, rest_api_port=0)) as url:
        assert httpx.get(f"{url}{container.health_route}").status_code == 200
        answer = httpx.post(f"{url}{container.predict_route}", json={"instances": [1.5, 2.0]})
        assert answer.json() == {"predictions": [3.0, 4.0]}


def test_a_canary_is_promoted_and_rolled_back(
    registry, deploy: Callable[..., int], capsys: pytest.CaptureFixture[str]
):
    # The first gets everything, whatever is said.
    assert deploy(1, "--traffic", "10", "--machine-type", "n1-standard-8") == 0
    assert registry.traffic() == {"flowers-1": 100}
    assert deploy(2, "--traffic", "10", "--accelerator", "NVIDIA_L4", "--max-replicas", "3") == 0
    assert registry.traffic() == {"flowers-1": 90, "flowers-2": 10}
    request = registry.server.requests("DeployModel")[-1]
    # Deployed without traffic: it gets some only when it answers.
    assert dict(request.traffic_split) == {}
    assert request.deployed_model.model == f"{PARENT}/models/1@2"
    resources = request.deployed_model.dedicated_resources
    assert (resources.min_replica_count, resources.max_replica_count) == (1, 3)
    assert resources.machine_spec.accelerator_type.name == "NVIDIA_L4"
    assert resources.machine_spec.accelerator_count == 1

    capsys.readouterr()
    assert act("promote") == 0
    assert registry.traffic() == {"flowers-2": 100}
    assert capsys.readouterr().out.splitlines() == [
        f"{PARENT}/endpoints/1",
        "  0 %  1  1-1 n1-standard-8  led before",
        "100 %  2  1-3 n1-standard-4 with 1 NVIDIA_L4",
    ]
    assert act("rollback") == 0
    assert registry.traffic() == {"flowers-1": 100}
    # And back again.
    assert act("rollback") == 0
    assert registry.traffic() == {"flowers-2": 100}
    assert act("rollback", "1") == 0
    assert registry.traffic() == {"flowers-1": 100}
    assert all(sum(split.values()) == 100 for split in registry.endpoints.history)
    assert registry.server.requests("UndeployModel") == []


def test_rollback_goes_to_the_one_before_not_to_the_newest(registry, deploy: Callable[..., int]):
    for version in (1, 2):
        assert deploy(version) == 0
    assert deploy(3, "--traffic", "0") == 0
    assert registry.traffic() == {"flowers-2": 100}
    assert act("rollback") == 0
    assert registry.traffic() == {"flowers-1": 100}


def test_rollback_without_another_version(
    registry, deploy: Callable[..., int], capsys: pytest.CaptureFixture[str]
):
    deploy(1)
    assert act("rollback") == 1
    assert "no other version is deployed" in capsys.readouterr().err
    assert act("rollback", "5") == 1
    assert f"5 is not deployed on {PARENT}/endpoints/1; there is 1" in capsys.readouterr().err
    assert registry.traffic() == {"flowers-1": 100}


def test_a_version_that_does_not_start_changes_nothing(
    registry, deploy: Callable[..., int], capsys: pytest.CaptureFixture[str]
):
    deploy(1)
    registry.endpoints.fails = "Model server never became ready"
    assert deploy(2) == 1
    said = capsys.readouterr().err
    assert f"cannot deploy {PARENT}/models/1@2: Model server never became ready" in said
    assert registry.traffic() == {"flowers-1": 100}
    registry.endpoints.fails = None
    assert deploy(2) == 0
    assert len(registry.server.requests("UploadModel")) == 2


def test_the_same_again_deploys_nothing(
    registry, deploy: Callable[..., int], capsys: pytest.CaptureFixture[str]
):
    deploy(1)
    deploy(2, "--traffic", "10")
    deploy(2, "--traffic", "50")
    assert registry.traffic() == {"flowers-1": 50, "flowers-2": 50}
    assert f"deployed already on {PARENT}/endpoints/1" in capsys.readouterr().out
    assert len(registry.server.requests("DeployModel")) == 2
    deploy(2)
    assert registry.traffic() == {"flowers-2": 100}


def test_prune_keeps_traffic_and_the_way_back(registry, deploy: Callable[..., int]):
    for version in (1, 2, 3):
        deploy(version)
    assert act("prune") == 0
    names = [model.display_name for model in registry.endpoint.deployed_models]
    assert names == ["flowers-2", "flowers-3"]
    assert act("rollback") == 0 and registry.traffic() == {"flowers-2": 100}
    assert act("prune", "--all") == 0
    assert [model.display_name for model in registry.endpoint.deployed_models] == ["flowers-2"]
    assert registry.traffic() == {"flowers-2": 100}


def test_deploying_takes_time(registry, deploy: Callable[..., int]):
    registry.endpoints.slow["next"] = "projects/p/locations/r/operations/9"
    assert deploy(1) == 0
    assert registry.traffic() == {"flowers-1": 100} and registry.endpoints.slow == {}


def test_two_at_once(
    registry,
    deploy: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """Somebody divides the traffic between our look and our change: ours is refused."""
    from pipeline.registry import endpoints

    deploy(1)
    deploy(2, "--traffic", "10")
    find = endpoints.find_endpoint

    def slow(*arguments: Any, **options: Any) -> Any:
        found = find(*arguments, **options)
        registry.endpoint.etag = "77"
        return found

    monkeypatch.setattr(endpoints, "find_endpoint", slow)
    assert act("promote") == 1
    assert "etag does not match" in capsys.readouterr().err
    assert registry.traffic() == {"flowers-1": 90, "flowers-2": 10}


def test_several_of_a_name(registry, push: Any, bucket: Any, capsys: pytest.CaptureFixture[str]):
    for number in (1, 2):
        registry.endpoints.kept[f"{PARENT}/endpoints/{number}"] = registry.endpoints.types.Endpoint(
            name=f"{PARENT}/endpoints/{number}", display_name="flowers"
        )
    assert act("show") == 1
    assert f"are called flowers: {PARENT}/endpoints/1, {PARENT}" in capsys.readouterr().err
    assert act("show", "--endpoint", "2") == 0
    assert capsys.readouterr().out == f"{PARENT}/endpoints/2\n"
    assert act("promote", "--endpoint", "2") == 1
    assert "nothing is deployed on" in capsys.readouterr().err
    assert act("show", "--endpoint", "other") == 1
    assert f"no endpoint in {PARENT} is called other" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Vertex AI's own end at TensorFlow 2.15, and this model was saved by 2.16.2"),
        (["--image", OWN], "has TensorFlow 2.15, and the model was saved by 2.16.2"),
        (["--image", IMAGE], "Vertex AI reads models from a bucket; give --staging gs://"),
        (["--image", IMAGE, "--staging", "/local"], "give --staging gs://BUCKET/FOLDER"),
        ([*STAGED, "--summary", "{tmp}/none.json"], "No such file"),
        ([*STAGED, "--summary", "{tmp}/bad.json"], "bad.json is no summary of a run"),
        ([*STAGED, "--summary", "{tmp}/list.json"], "it holds no mapping"),
        ([*STAGED, "--summary", "ram://none/s.json"], "ram://none/s.json cannot be read"),
        ([*STAGED, "--summary", "{tmp}/other.json"], "of version 6, not of the blessed version 7"),
        ([*STAGED, "--summary", "{tmp}/refused.json"], "of a run that pushed nothing"),
    ],
)
def test_mistakes_are_found_before_any_call(
    registry,
    push: Callable[..., pathlib.Path],
    bucket: pathlib.Path,
    tmp_path: pathlib.Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
):
    (tmp_path / "bad.json").write_text("{", "utf-8")
    (tmp_path / "list.json").write_text("[]", "utf-8")
    other = {"blessed": True, "pushed_model": "gs://b/serving/flowers/6"}
    (tmp_path / "other.json").write_text(json.dumps(other), "utf-8")
    refused = {"blessed": False, "pushed_model": None}
    (tmp_path / "refused.json").write_text(json.dumps(refused), "utf-8")
    words = [word.format(tmp=tmp_path) for word in arguments]
    assert act("upload", str(push(7)), *words) == 1
    assert message in capsys.readouterr().err
    assert registry.server.asked == [] and not bucket.exists()


def test_more_mistakes(
    registry,
    push: Callable[..., pathlib.Path],
    bucket: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
):
    for folder, message in (
        (tmp_path, "is no pushed version: their folders have numbers"),
        (tmp_path / "12", "holds no saved_model.pb"),
    ):
        assert act("upload", str(folder), *STAGED) == 1
        assert message in capsys.readouterr().err
    deployment = ["deploy", str(push(3)), *STAGED]
    assert act(*deployment, "--min-replicas", "3", "--max-replicas", "2") == 1
    assert "--max-replicas 2 is below --min-replicas 3" in capsys.readouterr().err
    assert registry.server.asked == []
    assert act(*deployment, "--accelerator", "GPU") == 1
    assert "GPU is no accelerator but" in capsys.readouterr().err
    assert registry.server.requests("DeployModel") == []


def test_interrupted_while_deploying(
    registry,
    deploy: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    from google.api_core.operation import Operation

    deploy(1)
    result = Operation.result

    def interrupted(operation: Any, **options: Any) -> Any:
        if "UploadModel" in str(operation.operation.response.type_url):
            return result(operation, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(Operation, "result", interrupted)
    assert deploy(2) == 130
    assert "a deployment gets no traffic" in capsys.readouterr().err
    assert registry.traffic() == {"flowers-1": 100}
    monkeypatch.setattr(Operation, "result", result)
    assert deploy(2) == 0
    assert registry.traffic() == {"flowers-2": 100}
    assert len(registry.server.requests("DeployModel")) == 2
