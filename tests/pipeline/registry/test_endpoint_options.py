"""What the options of `flowersim endpoint` change in the requests to Vertex AI."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest

from pipeline.cli import main
from pipeline.vertex_ai import clients

PLACE = ["--project", "my-project", "--region", "europe-west4"]
IMAGE = "europe-west4-docker.pkg.dev/p/r/server:1"
STAGED = ["--image", IMAGE, "--staging", "gs://bucket/staging"]
PRIVATE = "europe-west4-aiplatform-psc.p.googleapis.com"


def test_a_model_of_another_name_on_machines_of_one_s_own(
    registry, push: Callable[..., pathlib.Path], bucket: pathlib.Path
):
    command = ["endpoint", "deploy", str(push(3)), *STAGED, *PLACE, "--model", "roses"]
    machines = ["--accelerator", "NVIDIA_L4", "--accelerator-count", "2"]
    assert main([*command, *machines, "--service-account", "server@p.iam"]) == 0
    (uploaded,) = registry.server.requests("UploadModel")
    assert uploaded.model.display_name == "roses"
    # The server is told the name, and the URL that it is asked at has it.
    assert "--model_name=roses" in uploaded.model.container_spec.args
    assert uploaded.model.container_spec.predict_route == "/v1/models/roses:predict"
    (request,) = registry.server.requests("DeployModel")
    deployed = request.deployed_model
    assert (deployed.display_name, deployed.service_account) == ("roses-3", "server@p.iam")
    machine = deployed.dedicated_resources.machine_spec
    assert (machine.accelerator_type.name, machine.accelerator_count) == ("NVIDIA_L4", 2)
    # A model of this name only registered: a second one, not another version of the first.
    assert main(["endpoint", "upload", str(push(4)), *STAGED, *PLACE, "--model", "lilies"]) == 0
    assert registry.server.requests("UploadModel")[-1].model.display_name == "lilies"
    assert not registry.server.requests("UploadModel")[-1].parent_model


@pytest.mark.parametrize("action", ["upload", "deploy", "show", "promote", "rollback", "prune"])
def test_vertex_ai_is_reached_where_api_endpoint_says(
    registry,
    push: Callable[..., pathlib.Path],
    bucket: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
):
    for version in (1, 2):
        assert main(["endpoint", "deploy", str(push(version)), *STAGED, *PLACE]) == 0
    hosts = []
    open_channel = clients.open_channel

    def opened(transport, host, credentials):
        hosts.append(host)
        return open_channel(transport, host, credentials)

    monkeypatch.setattr(clients, "open_channel", opened)
    folder = [str(bucket.parent / "serving/flowers/2"), *STAGED]
    words = [action, *(folder if action in ("upload", "deploy") else [])]
    assert main(["endpoint", *words, *PLACE]) == 0
    assert {*hosts} == {"europe-west4-aiplatform.googleapis.com"}
    hosts.clear()
    assert main(["endpoint", *words, *PLACE, "--api-endpoint", PRIVATE]) == 0
    assert {*hosts} == {PRIVATE}
