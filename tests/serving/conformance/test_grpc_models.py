"""Metadata, status and configuration of models over gRPC, asked with the official stubs.

From `apis/*.proto`, `model_servers/model_service_impl.cc`, `get_model_status_impl.cc`,
`server_core.cc` and `servables/tensorflow/get_model_metadata_impl.cc`.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

from tests.serving.conformance import models
from tests.serving.conformance.grpc_requests import (
    TIMEOUT,
    fill,
    predict_request,
    refused,
    values,
)


@pytest.fixture
def predictions(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture
def service(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


class TestMetadata:
    def ask(self, predictions, name, *fields, **spec):
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
        fill(request.model_spec, name, **spec)
        return predictions.GetModelMetadata(request, TIMEOUT)

    def test_signatures(self, predictions):
        response = self.ask(predictions, "half_plus_two", "signature_def")
        assert response.model_spec.name == "half_plus_two"
        assert response.model_spec.version.value == 123
        assert list(response.metadata) == ["signature_def"]
        found = get_model_metadata_pb2.SignatureDefMap()
        assert response.metadata["signature_def"].Unpack(found)
        default = found.signature_def["serving_default"]
        assert default.method_name == "tensorflow/serving/predict"
        assert [dim.size for dim in default.inputs["x"].tensor_shape.dim] == [-1, 1]
        assert default.inputs["x"].dtype == tf.float32.as_datatype_enum
        assert found.signature_def["classify_both"].method_name == "tensorflow/serving/classify"

    def test_labels(self, predictions):
        response = self.ask(predictions, "labelled", "signature_def", label="stable")
        assert response.model_spec.version.value == 1

    def test_what_is_refused(self, predictions):
        message = "GetModelMetadataRequest must specify at least one metadata_field"
        with refused("INVALID_ARGUMENT", message):
            self.ask(predictions, "half_plus_two")
        with refused("INVALID_ARGUMENT", "Metadata field weights is not supported"):
            self.ask(predictions, "half_plus_two", "signature_def", "weights")
        with refused("NOT_FOUND", "Servable not found for request: Latest(nope)"):
            self.ask(predictions, "nope", "signature_def")
        with refused("INVALID_ARGUMENT", "Missing ModelSpec"):
            request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["x"])
            predictions.GetModelMetadata(request, TIMEOUT)


class TestStatus:
    def ask(self, service, name, **spec):
        request = get_model_status_pb2.GetModelStatusRequest()
        fill(request.model_spec, name, **spec)
        response = service.GetModelStatus(request, TIMEOUT)
        available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
        for entry in response.model_version_status:
            assert (entry.state, entry.status.error_code) == (available, 0)
            assert entry.status.error_message == ""
        return [entry.version for entry in response.model_version_status]

    def test_versions(self, service):
        assert self.ask(service, "half_plus_two") == [123]
        assert self.ask(service, "every") == [3, 2, 1]
        assert self.ask(service, "every", version=2) == [2]
        assert self.ask(service, "labelled", label="stable") == [2, 1]

    def test_what_is_refused(self, service):
        with refused("NOT_FOUND", "Could not find any versions of model nope"):
            self.ask(service, "nope")
        with refused("NOT_FOUND", "Could not find version 5 of model every"):
            self.ask(service, "every", version=5)
        with refused("NOT_FOUND", "Could not find any versions of model "):
            self.ask(service, "")
        with refused("INVALID_ARGUMENT", "Missing ModelSpec"):
            service.GetModelStatus(get_model_status_pb2.GetModelStatusRequest(), TIMEOUT)


class TestReload:
    """Changes what is served, and changes it back."""

    @pytest.fixture
    def reload(self, service, server):
        def config(text: str):
            message = model_server_config_pb2.ModelServerConfig()
            return text_format.Parse(text.replace("BASE", server.folder), message)

        def send(text: str, *metrics: str):
            request = model_management_pb2.ReloadConfigRequest(metric_names=metrics)
            request.config.CopyFrom(config(models.config(server.folder)))
            request.config.MergeFrom(config(text))
            return service.HandleReloadConfigRequest(request, TIMEOUT)

        yield send
        send("")

    def entry(self, name: str, more: str = "", base: str = "BASE/add") -> str:
        return (
            f'model_config_list {{ config {{ name: "{name}" base_path: "{base}" '
            f'model_platform: "tensorflow" {more} }} }}'
        )

    def add(self, predictions, name, **spec):
        return values(
            predictions.Predict(predict_request(name, x=np.array([0], np.float32), **spec), TIMEOUT)
        )

    def test_a_new_model_can_be_asked_at_once(self, reload, predictions):
        response = reload(self.entry("new"), "/tensorflow/cc/saved_model/load_attempt_count")
        assert response.status.error_code == 0 and response.HasField("status")
        (metric,) = response.metric
        assert metric.name == "/tensorflow/cc/saved_model/load_attempt_count"
        assert self.add(predictions, "new") == {"y": [3.0]}
        assert self.add(predictions, "labelled", label="stable") == {"y": [1.0]}

    def test_what_is_left_out_is_gone(self, reload, predictions, service):
        reload(self.entry("new"))
        reload("")
        with refused("NOT_FOUND", "Servable not found for request: Latest(new)"):
            self.add(predictions, "new")

    def test_labels_of_loaded_versions(self, reload, predictions):
        policy = "model_version_policy { all {} }"
        reload(self.entry("new", policy))
        reload(self.entry("new", policy + ' version_labels { key: "old" value: 3 }'))
        assert self.add(predictions, "new", label="old") == {"y": [3.0]}
        moved = policy + ' version_labels { key: "old" value: 9 }'
        message = (
            "Request to assign label to version 9 of model new, which is not currently available "
            "for inference"
        )
        with refused("FAILED_PRECONDITION", message):
            reload(self.entry("new", moved))
        assert self.add(predictions, "new", label="old") == {"y": [3.0]}

    def test_what_is_refused(self, reload, service, predictions):
        message = (
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported"
        )
        request = model_management_pb2.ReloadConfigRequest()
        with refused("INVALID_ARGUMENT", message):
            service.HandleReloadConfigRequest(request, TIMEOUT)
        request.config.custom_model_config.Pack(model_server_config_pb2.ModelServerConfig())
        with refused("INVALID_ARGUMENT", message):
            service.HandleReloadConfigRequest(request, TIMEOUT)
        with refused(
            "INVALID_ARGUMENT", "Illegal to list model every multiple times in config list"
        ):
            reload(self.entry("every"))
        assert self.add(predictions, "newest") == {"y": [3.0]}
