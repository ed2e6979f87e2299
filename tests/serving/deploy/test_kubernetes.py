"""The Kubernetes objects: no field that the API does not have, and what names each other fits.

No cluster: the official client's models say what fields there are, kustomize (where kubectl is
installed) what the overlays make, and the embedded server whether probes ask real URLs.
"""

from __future__ import annotations

import copy
import os
import pathlib
import re
import time
from typing import Any

import httpx
import pytest

from serving import docker_backend, model_config, monitoring_config
from serving.model_server import serving_apis
from serving.options import parse_flags
from tests.serving.deploy import kubernetes_models
from tests.serving.deploy.deploy_files import (
    CONFIG,
    DEPLOY,
    SERVING_FLAGS,
    documents,
    flag_names,
    moved,
    rendered,
    static_manifests,
)

KUBERNETES = DEPLOY / "kubernetes"
STATIC = static_manifests()
DEPLOYMENT = STATIC["Deployment", "flowersim-serving"]
POD = DEPLOYMENT["spec"]["template"]
(SERVER,) = POD["spec"]["containers"]


class TestTheCheckItself:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda d: d["spec"].update(replica=2), "Deployment.spec has unknown fields: replica"),
            (lambda d: d["spec"].pop("selector"), "`selector`, must not be `None`"),
            (
                lambda d: d["spec"]["template"]["spec"]["containers"][0]["ports"][0].update(
                    containerPort="8501"
                ),
                "ports[0].containerPort is no int: '8501'",
            ),
            (lambda d: d.update(apiVersion="apps/v1beta1"), "unknown kind"),
            (lambda d: d["spec"]["template"]["spec"].update(volumes={}), "volumes is no list"),
        ],
    )
    def test_it_names_what_is_wrong(self, change, message):
        document = copy.deepcopy(DEPLOYMENT)
        change(document)
        with pytest.raises(ValueError, match=re.escape(message)):
            kubernetes_models.check(document)


@pytest.mark.parametrize("key", STATIC, ids=lambda key: key[0])
def test_the_base_has_fields_of_the_api_only(key):
    kubernetes_models.check(STATIC[key])


def test_the_base_lists_its_files():
    (kustomization,) = documents(KUBERNETES / "base" / "kustomization.yaml")
    files = {path.name for path in (KUBERNETES / "base").glob("*.yaml")}
    assert {*kustomization["resources"], "kustomization.yaml"} == files | {"../../config"}


def test_selectors_find_the_servers():
    labels = POD["metadata"]["labels"]
    selectors = [
        DEPLOYMENT["spec"]["selector"]["matchLabels"],
        STATIC["Service", "flowersim-serving"]["spec"]["selector"],
        STATIC["PodDisruptionBudget", "flowersim-serving"]["spec"]["selector"]["matchLabels"],
        *(
            spread["labelSelector"]["matchLabels"]
            for spread in POD["spec"]["topologySpreadConstraints"]
        ),
    ]
    assert all(selector == labels for selector in selectors)
    (monitor,) = documents(KUBERNETES / "service-monitor" / "service-monitor.yaml")
    service = STATIC["Service", "flowersim-serving"]
    assert monitor["spec"]["selector"]["matchLabels"] == service["metadata"]["labels"]
    assert monitor["spec"]["jobLabel"] in service["metadata"]["labels"]


def test_the_loader_is_no_server():
    (pod,) = documents(KUBERNETES / "loader" / "pod.yaml")
    kubernetes_models.check(pod)
    labels = pod["metadata"]["labels"].items()
    assert not DEPLOYMENT["spec"]["selector"]["matchLabels"].items() <= labels
    (volume,) = pod["spec"]["volumes"]
    claim = STATIC["PersistentVolumeClaim", "flowersim-models"]["metadata"]["name"]
    assert volume["persistentVolumeClaim"] == {"claimName": claim}


def test_the_autoscaler_scales_the_deployment():
    spec = STATIC["HorizontalPodAutoscaler", "flowersim-serving"]["spec"]
    assert spec["scaleTargetRef"] == {
        "apiVersion": DEPLOYMENT["apiVersion"],
        "kind": DEPLOYMENT["kind"],
        "name": DEPLOYMENT["metadata"]["name"],
    }
    assert "replicas" not in DEPLOYMENT["spec"]  # else each apply would undo the scaling
    assert "cpu" in SERVER["resources"]["requests"]  # of which utilization is a share
    # A budget must leave something to evict.
    assert (
        spec["minReplicas"]
        > STATIC["PodDisruptionBudget", "flowersim-serving"]["spec"]["maxUnavailable"]
    )


def test_ports_are_the_same_everywhere():
    options = parse_flags(SERVER["args"])
    ports = {port["name"]: port["containerPort"] for port in SERVER["ports"]}
    assert ports == {"rest": options.rest_api_port, "grpc": options.port}
    service = STATIC["Service", "flowersim-serving"]["spec"]["ports"]
    assert {port["targetPort"]: port["port"] for port in service} == ports
    annotations = POD["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(ports["rest"])
    metrics = monitoring_config.parse((CONFIG / "monitoring.config").read_text("utf-8"))
    assert annotations["prometheus.io/path"] == metrics
    (monitor,) = documents(KUBERNETES / "service-monitor" / "service-monitor.yaml")
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["path"] == metrics
    assert endpoint["port"] in [port["name"] for port in service]


def test_flags_are_those_of_tensorflow_serving():
    assert SERVER["command"] == ["/usr/bin/tensorflow_model_server"]
    assert flag_names(SERVER["args"]) <= SERVING_FLAGS
    parse_flags(SERVER["args"])  # exits where the embedded server does not know one


def test_every_path_of_a_flag_is_mounted():
    sources = {volume["name"]: volume for volume in POD["spec"]["volumes"]}
    mounts = {mount["mountPath"]: sources[mount["name"]] for mount in SERVER["volumeMounts"]}
    (config,) = documents(CONFIG / "kustomization.yaml")
    files = {maps["name"]: set(maps["files"]) for maps in config["configMapGenerator"]}
    for flag in SERVER["args"]:
        if match := re.fullmatch(r"--\w+=(/.*)/([^/]+)", flag):
            assert match[2] in files[mounts[match[1]]["configMap"]["name"]]
    for names in files.values():
        assert all((CONFIG / name).is_file() for name in names)
    (model,) = model_config.parse((CONFIG / "models.config").read_text("utf-8"))
    claim = mounts[str(pathlib.PurePosixPath(model.base_path).parent)]["persistentVolumeClaim"]
    assert ("PersistentVolumeClaim", claim["claimName"]) in STATIC


def test_a_change_of_what_is_read_once_replaces_the_pods():
    (config,) = documents(CONFIG / "kustomization.yaml")
    fixed = {
        maps["name"]: maps.get("options", {}).get("disableNameSuffixHash", False)
        for maps in config["configMapGenerator"]
    }
    assert fixed == {"flowersim-models": True, "flowersim-server": False}
    options = parse_flags(SERVER["args"])
    assert options.model_config_file_poll_wait_seconds > 0


def test_a_pod_may_do_nothing_but_serve():
    (loader,) = documents(KUBERNETES / "loader" / "pod.yaml")
    for pod in (POD["spec"], loader["spec"]):
        _is_confined(pod)
    assert all(mount["readOnly"] for mount in SERVER["volumeMounts"] if mount["name"] != "tmp")


def test_requests_under_way_end_before_the_pod():
    wait = int(SERVER["lifecycle"]["preStop"]["exec"]["command"][-1])
    limit = parse_flags(SERVER["args"]).rest_api_timeout_in_ms / 1000
    assert limit < wait < POD["spec"]["terminationGracePeriodSeconds"]
    assert POD["spec"]["shareProcessNamespace"]


def _is_confined(pod: dict[str, Any]) -> None:
    security = pod["securityContext"]
    assert security["runAsNonRoot"] and security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]


class TestProbes:
    PATHS = {
        kind: SERVER[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("startup", "readiness", "liveness")
    }

    def test_they_ask_the_port_of_rest(self):
        for kind in self.PATHS:
            assert SERVER[f"{kind}Probe"]["httpGet"]["port"] == "rest"

    @pytest.fixture
    def url(self, config, models):
        """A server that was given the Deployment's own flags, on the files it mounts."""
        places = {
            "/etc/flowersim/models": config,
            "/etc/flowersim/server": config,
        }
        options = parse_flags(moved(SERVER["args"], places))
        with serving_apis(options) as server:
            yield server.url

    def test_they_are_answered_with_200(self, url):
        for path in self.PATHS.values():
            assert httpx.get(url + path).status_code == 200
        assert httpx.get(url + POD["metadata"]["annotations"]["prometheus.io/path"]).is_success

    def test_readiness_needs_a_version_that_answers(self, config, models):
        """The status is there with a version that could not be loaded; metadata is not."""
        broken = models / "flowers" / "1"
        for version in (models / "flowers").iterdir():
            if version != broken:
                version.rename(models / f"away-{version.name}")
        (config / "models.config").write_text("model_config_list {}", "utf-8")
        flags = moved(
            SERVER["args"], {"/etc/flowersim/models": config, "/etc/flowersim/server": config}
        )
        (broken / "saved_model.pb").write_bytes(b"no model")
        options = parse_flags([*flags, "--model_config_file_poll_wait_seconds=0.05"])
        with serving_apis(options) as server:
            (config / "models.config").write_text(
                (CONFIG / "models.config").read_text("utf-8").replace("/models/", f"{models}/"),
                "utf-8",
            )
            _until(lambda: httpx.get(server.url + self.PATHS["liveness"]).status_code == 200)
            assert httpx.get(server.url + self.PATHS["readiness"]).status_code == 404


def _until(condition) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


class TestRendered:
    """What kustomize makes of the folders."""

    @pytest.mark.parametrize("name", ["base", "bucket"])
    def test_fields_names_and_version(self, name):
        objects = rendered(KUBERNETES / name)
        for document in objects.values():
            kubernetes_models.check(document)
        pod = objects["Deployment"]["spec"]["template"]["spec"]
        _is_confined(pod)
        (server,) = (c for c in pod["containers"] if c["name"] == "serving")
        assert server["image"] == docker_backend.IMAGE
        assert server["args"] == SERVER["args"]
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert re.search(r":[\w.-]+$", container["image"]), "an image without a tag"
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted <= {volume["name"] for volume in pod["volumes"]}
            for source in container.get("envFrom", []):
                if "configMapRef" in source:
                    assert source["configMapRef"]["name"] in objects
        for volume in pod["volumes"]:
            assert len(volume) == 2, f"{volume['name']} has not exactly one source"
            if "configMap" in volume:
                assert volume["configMap"]["name"] in objects
        assert "flowersim-models" in objects  # no suffix: it is changed in place

    def test_the_bucket_needs_no_volume_claim(self):
        objects = rendered(KUBERNETES / "bucket")
        assert "PersistentVolumeClaim" not in objects
        pod = objects["Deployment"]["spec"]["template"]["spec"]
        assert pod["serviceAccountName"] == objects["ServiceAccount"]["metadata"]["name"]
        (settings,) = (d for n, d in objects.items() if re.match(r"flowersim-bucket-\w{10}$", n))
        (model,) = model_config.parse((CONFIG / "models.config").read_text("utf-8"))
        assert settings["data"]["TARGET"] == model.base_path
        remote = settings["data"]["SOURCE"].partition(":")[0].upper()
        assert f"RCLONE_CONFIG_{remote}_TYPE" in settings["data"]

    @pytest.mark.parametrize("base", ["base", "bucket"])
    def test_components_can_be_added(self, base, tmp_path):
        relative = os.path.relpath(KUBERNETES, tmp_path)
        (tmp_path / "kustomization.yaml").write_text(
            f"resources: [{relative}/{base}]\n"
            f"components: [{relative}/batching, {relative}/service-monitor]\n",
            "utf-8",
        )
        objects = rendered(tmp_path)
        pod = objects["Deployment"]["spec"]["template"]
        assert "annotations" not in pod["metadata"]
        (server,) = (c for c in pod["spec"]["containers"] if c["name"] == "serving")
        assert flag_names(server["args"]) <= SERVING_FLAGS
        options = parse_flags(server["args"])
        assert options.enable_batching
        mount, _, name = options.batching_parameters_file.rpartition("/")
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        (source,) = (m["name"] for m in server["volumeMounts"] if m["mountPath"] == mount)
        assert name in objects[volumes[source]["configMap"]["name"]]["data"]
        assert objects["ServiceMonitor"]["apiVersion"] == "monitoring.coreos.com/v1"
