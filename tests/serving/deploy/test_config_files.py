"""The configuration files: the embedded server reads them, and does what they say."""

from __future__ import annotations

import time

import httpx
import pytest

from pipeline.settings import Settings
from serving import batching_parameters, model_config, monitoring_config
from serving.docker_backend import MONITORING_FILE
from serving.model_server import ServerOptions, running_server
from serving.version_policy import VersionPolicy
from tests.serving.deploy.deploy_files import CONFIG


def test_the_model_is_the_one_that_runs_push():
    (model,) = model_config.parse((CONFIG / "models.config").read_text("utf-8"))
    assert model.name == Settings().serving.model_name
    assert model.base_path == f"/models/{model.name}"
    assert model.policy == VersionPolicy("latest", count=1)
    assert not model.labels


def test_the_labelled_one_differs_in_versions_only():
    (plain,) = model_config.parse((CONFIG / "models.config").read_text("utf-8"))
    (model,) = model_config.parse((CONFIG / "models-labelled.config").read_text("utf-8"))
    assert (model.name, model.base_path) == (plain.name, plain.base_path)
    assert model.labels == {"stable": 1, "canary": 2}
    assert model.policy == VersionPolicy("specific", versions=frozenset(model.labels.values()))


def test_batches_are_of_a_size_that_is_warmed_up():
    parameters = batching_parameters.parse((CONFIG / "batching.config").read_text("utf-8"))
    assert parameters.max_batch_size in Settings().serving_check.warmup_batch_sizes
    assert parameters.batch_timeout_micros == 0


def test_metrics_are_where_serve_finds_the_file_for_docker():
    assert MONITORING_FILE == CONFIG / "monitoring.config"
    assert monitoring_config.parse(MONITORING_FILE.read_text("utf-8")) is not None


@pytest.mark.parametrize("batching", [False, True])
def test_the_embedded_server_serves_by_them(config, batching):
    options = ServerOptions(
        model_config_file=str(config / "models.config"),
        monitoring_config_file=str(config / "monitoring.config"),
        enable_batching=batching,
        batching_parameters_file=str(config / "batching.config") if batching else "",
    )
    with running_server(options) as url:
        assert _answer(f"{url}/v1/models/flowers") == 2.0
        path = monitoring_config.parse((config / "monitoring.config").read_text("utf-8"))
        assert ":tensorflow:serving:request_count" in httpx.get(f"{url}{path}").text


def test_labels_and_how_they_are_moved(config, models, push):
    """The file says: first list the version, then move the label; at once is refused."""
    path = config / "models-labelled.config"
    options = ServerOptions(
        model_config_file=str(path),
        model_config_file_poll_wait_seconds=0.05,
        file_system_poll_wait_seconds=0.05,
        allow_version_labels_for_unavailable_models=True,
    )
    with running_server(options) as url:
        base = f"{url}/v1/models/flowers"
        # The status leaves labels out of account; metadata is that of the labelled version.
        _until(lambda: httpx.get(f"{base}/labels/stable/metadata").status_code == 200)
        assert _answer(f"{base}/labels/stable") == 1.0
        assert _answer(f"{base}/labels/canary") == 2.0
        assert _answer(base) == 2.0
        push(models / "flowers", 3)
        listed = path.read_text("utf-8").replace("versions: 1", "versions: 1 versions: 3")
        path.write_text(listed.replace('"canary" value: 2', '"canary" value: 3'), "utf-8")
        time.sleep(0.5)  # ten looks at the file
        assert _answer(f"{base}/labels/canary") == 2.0
        assert httpx.get(f"{base}/versions/3").status_code == 404
        path.write_text(listed, "utf-8")
        _until(lambda: httpx.get(f"{base}/versions/3/metadata").status_code == 200)
        assert _answer(f"{base}/labels/canary") == 2.0
        path.write_text(listed.replace('"canary" value: 2', '"canary" value: 3'), "utf-8")
        _until(lambda: _answer(f"{base}/labels/canary") == 3.0)
        assert _answer(f"{base}/labels/stable") == 1.0


def _answer(url: str) -> float:
    return httpx.post(f"{url}:predict", json={"instances": [0.0]}).json()["predictions"][0]


def _until(condition) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
