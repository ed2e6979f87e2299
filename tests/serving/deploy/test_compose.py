"""The compose file: what it mounts is what runs push, and the server that it starts would answer.

No docker: variables are filled in here, the server is the embedded one with the file's own flags,
and the health check runs in this machine's bash.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import subprocess

import httpx
import pytest

from pipeline.commands.index_command import DEFAULT_WORKDIR
from pipeline.places import places_in
from pipeline.settings import Settings
from serving import batching_parameters, docker_backend, monitoring_config
from serving.model_server import serving_apis
from serving.options import parse_flags
from tests.serving.deploy.deploy_files import (
    CONFIG,
    DEPLOY,
    ROOT,
    SERVING_FLAGS,
    compose,
    compose_flags,
    documents,
    flag_names,
    moved,
)

SERVICES = compose()["services"]
SERVER = SERVICES["serving"]
# The keys of a service in the Compose Specification that may be used here.
SERVICE_KEYS = {
    *("image", "entrypoint", "init", "command", "ports", "volumes", "user", "read_only", "tmpfs"),
    *("cap_drop", "security_opt", "restart", "healthcheck", "profiles", "environment"),
    "depends_on",
}


def mounts(service: dict) -> dict[str, str]:
    """Sources by target."""
    found = {}
    for volume in service["volumes"]:
        if isinstance(volume, str):
            source, target, *_ = volume.split(":")
            found[target] = source
        else:
            found[volume["target"]] = volume["source"]
    return found


def test_its_structure():
    document = compose()
    assert document.keys() == {"name", "services", "volumes"}
    for service in SERVICES.values():
        assert service.keys() <= SERVICE_KEYS
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])
        assert service["restart"] == "unless-stopped"
        for name in service.get("depends_on", []):
            assert name in SERVICES
        for source in mounts(service).values():
            assert source.startswith(".") or source in document["volumes"]
    assert {name for name, service in SERVICES.items() if "profiles" not in service} == {"serving"}


def test_the_version_is_the_one_of_serve_and_of_the_lock_file():
    assert SERVER["image"] == docker_backend.IMAGE
    (inference,) = documents(DEPLOY / "kserve" / "inference-service.yaml")
    tag = docker_backend.IMAGE.rpartition(":")[2]
    assert inference["spec"]["predictor"]["model"]["runtimeVersion"] == tag
    lock = (ROOT / "requirements" / "tfx-1.16-py311.lock").read_text("utf-8")
    tensorflow = re.search(r"^tensorflow==(\d+\.\d+)\.", lock, re.MULTILINE)
    assert tensorflow is not None and tag.startswith(f"{tensorflow[1]}.")
    assert compose({"TF_SERVING_VERSION": "9.9.9"})["services"]["serving"]["image"] == (
        "tensorflow/serving:9.9.9"
    )


def test_the_models_are_where_runs_push_them():
    served = places_in(
        str(ROOT / DEFAULT_WORKDIR), Settings().serving.model_name, dataset="", schema=""
    ).serving
    mounted = (DEPLOY / mounts(SERVER)["/models"]).resolve()
    assert served == str(mounted / Settings().serving.model_name)


def test_everything_is_mounted_read_only_and_exists():
    for name, service in SERVICES.items():
        for volume in service["volumes"]:
            read_only = volume["read_only"] if isinstance(volume, dict) else volume.endswith(":ro")
            assert read_only or volume == "prometheus:/prometheus", (name, volume)
        for target, source in mounts(service).items():
            if source.startswith("./"):
                assert (DEPLOY / source).exists(), f"{name} mounts {source} at {target}"


@pytest.mark.parametrize("extra", ["", "--rest_api_enable_cors_support"])
def test_flags_are_those_of_tensorflow_serving(extra):
    flags = compose_flags({"FLOWERSIM_FLAGS": extra})
    assert SERVER["entrypoint"] == ["/usr/bin/tensorflow_model_server"]
    assert flag_names(flags) <= SERVING_FLAGS
    assert parse_flags(flags).rest_api_enable_cors_support == bool(extra)


def test_flags_that_its_heading_names():
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    (batching,) = re.findall(r'"(--enable_batching [^"]*)"', text)
    flags = compose_flags({"FLOWERSIM_FLAGS": batching})
    assert flag_names(flags) <= SERVING_FLAGS
    options = parse_flags(moved(flags, {"/etc/flowersim": CONFIG}))
    with open(options.batching_parameters_file, encoding="utf-8") as file:
        batching_parameters.parse(file.read())
    named = set(re.findall(r"^#   ([A-Z_]+(?:, [A-Z_]+)*) ", text, re.MULTILINE))
    used = set(re.findall(r"\$\{(\w+):-", text))
    listed = {name for names in named for name in names.split(", ")}
    of_tools = {f"{tool}_VERSION" for tool in ("PROMETHEUS", "GRAFANA", "NODE_EXPORTER")}
    assert used - of_tools - {"PROMETHEUS_PORT", "GRAFANA_PORT"} == listed


def test_ports_are_bound_to_the_loopback_address():
    options = parse_flags(compose_flags())
    inside = {"serving": {options.rest_api_port, options.port}, "prometheus": {9090}}
    for name, service in SERVICES.items():
        ports = [port.rsplit(":", 2) for port in service.get("ports", [])]
        assert all(ipaddress.ip_address(host).is_loopback for host, _, _ in ports)
        if name in inside:
            assert {int(port) for _, _, port in ports} == inside[name]
    ports = compose({"FLOWERSIM_BIND": "0.0.0.0"})["services"]["serving"]["ports"]
    assert ports == ["0.0.0.0:8501:8501", "0.0.0.0:8500:8500"]


def test_prometheus_asks_where_metrics_are():
    (prometheus,) = documents(DEPLOY / "monitoring" / "prometheus.yml")
    job, drift = prometheus["scrape_configs"]
    assert job["metrics_path"] == monitoring_config.parse(
        (CONFIG / "monitoring.config").read_text("utf-8")
    )
    port = parse_flags(compose_flags()).rest_api_port
    assert job["static_configs"] == [{"targets": [f"serving:{port}"]}]
    assert drift["static_configs"] == [{"targets": ["node-exporter:9100"]}]
    assert "metrics_path" not in drift  # /metrics, as node_exporter has it
    assert set(prometheus["rule_files"]) <= mounts(SERVICES["prometheus"]).keys()
    flags = dict(flag.split("=") for flag in SERVICES["prometheus"]["command"])
    assert mounts(SERVICES["prometheus"])[flags["--config.file"]] == "./monitoring/prometheus.yml"
    assert mounts(SERVICES["prometheus"])[flags["--storage.tsdb.path"]] == "prometheus"


def test_what_monitor_writes_is_read():
    exporter = SERVICES["node-exporter"]
    folder = mounts(exporter)["/metrics"]
    assert "--collector.textfile.directory=/metrics" in exporter["command"]
    docs = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    assert f"--prometheus serving/deploy/{folder.removeprefix('./')}/flowersim.prom" in docs
    assert mounts(compose({"FLOWERSIM_METRICS": "/a"})["services"]["node-exporter"]) == {
        "/metrics": "/a"
    }


def test_grafana_finds_prometheus_and_the_dashboards():
    folder = DEPLOY / mounts(SERVICES["grafana"])["/etc/grafana/provisioning"]
    (sources,) = documents(folder / "datasources" / "prometheus.yml")
    (source,) = sources["datasources"]
    assert source["url"] == "http://prometheus:9090" and source["isDefault"]
    (providers,) = documents(folder / "dashboards" / "flowersim.yml")
    (provider,) = providers["providers"]
    path = provider["options"]["path"]
    assert mounts(SERVICES["grafana"])[path] == "./monitoring/dashboards"


class TestServed:
    """The embedded server with the file's own flags, on what it mounts."""

    @pytest.fixture
    def url(self, config):
        options = parse_flags(moved(compose_flags(), {"/etc/flowersim": config}))
        with serving_apis(options) as server:
            yield server.url

    def test_it_answers(self, url):
        response = httpx.post(f"{url}/v1/models/flowers:predict", json={"instances": [1.0]})
        assert response.json() == {"predictions": [3.0]}

    def test_healthy(self, url):
        assert health(url) == 0

    def test_unhealthy_where_no_version_can_answer(self, config):
        path = config / "models.config"
        path.write_text(path.read_text("utf-8").replace('name: "flowers"', 'name: "roses"'))
        options = parse_flags(moved(compose_flags(), {"/etc/flowersim": config}))
        with serving_apis(options) as server:
            assert httpx.get(f"{server.url}/v1/models/roses").status_code == 200
            assert health(server.url) != 0

    def test_unhealthy_where_nothing_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        assert health(f"http://127.0.0.1:{port}") != 0

    def test_unhealthy_where_the_server_is_silent(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            assert health(f"http://127.0.0.1:{silent.getsockname()[1]}") != 0


def health(url: str) -> int:
    """The exit status of the health check, at the port of a URL."""
    kind, *command = SERVER["healthcheck"]["test"]
    assert kind == "CMD"
    port = url.rpartition(":")[2]
    moved_command = [word.replace("/8501", f"/{port}") for word in command]
    assert moved_command != command
    return subprocess.run(moved_command, capture_output=True, timeout=10).returncode


def test_the_package_carries_the_files():
    setup = (ROOT / "setup.py").read_text("utf-8")
    assert '"serving": ["**/*"]' in setup
    # Patterns leave out what is hidden.
    assert not [path for path in DEPLOY.rglob("*") if path.name.startswith(".")]
