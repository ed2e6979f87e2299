"""KServe's InferenceService, as far as its structure goes: no package here has a model of it."""

from __future__ import annotations

import httpx

from pipeline.settings import Settings
from serving.model_server import ServerOptions, running_server
from tests.serving.deploy import kubernetes_models
from tests.serving.deploy.deploy_files import DEPLOY, documents, static_manifests

(SERVICE,) = documents(DEPLOY / "kserve" / "inference-service.yaml")
PREDICTOR = SERVICE["spec"]["predictor"]
MODEL = PREDICTOR["model"]
# kserve 0.15, config/runtimes/kserve-tensorflow-serving.yaml
RUNTIME, RUNTIME_PORT = "kserve-tensorflow-serving", 8080


def test_fields():
    assert SERVICE.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert (SERVICE["apiVersion"], SERVICE["kind"]) == (
        "serving.kserve.io/v1beta1",
        "InferenceService",
    )
    kubernetes_models.check_value(SERVICE["metadata"], "V1ObjectMeta", "metadata")
    assert PREDICTOR.keys() == {"minReplicas", "maxReplicas", "model"}
    assert 0 < PREDICTOR["minReplicas"] < PREDICTOR["maxReplicas"]
    own = {"modelFormat", "protocolVersion", "runtime", "runtimeVersion", "storageUri"}
    # All other fields of a model are those of a container.
    container = {key: value for key, value in MODEL.items() if key not in own}
    kubernetes_models.check_value({"name": "model", **container}, "V1Container", "model")
    assert own <= MODEL.keys()


def test_it_is_the_same_model_in_the_same_runtime():
    assert SERVICE["metadata"]["name"] == Settings().serving.model_name
    assert MODEL["runtime"] == RUNTIME
    assert MODEL["modelFormat"]["name"] == "tensorflow"
    claim, _, folder = MODEL["storageUri"].removeprefix("pvc://").partition("/")
    assert ("PersistentVolumeClaim", claim) in static_manifests()
    assert folder == Settings().serving.model_name


def test_probes_ask_what_the_server_answers(add_folder):
    options = ServerOptions(str(add_folder), model_name=SERVICE["metadata"]["name"])
    with running_server(options) as url:
        for probe in (MODEL["readinessProbe"], MODEL["livenessProbe"]):
            assert probe["httpGet"]["port"] == RUNTIME_PORT
            assert httpx.get(url + probe["httpGet"]["path"]).status_code == 200
