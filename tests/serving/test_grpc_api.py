"""The gRPC services where they are this server's own: its failures, and reloads that go wrong.

What every server must answer is in `conformance/test_grpc_*.py`.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time

import grpc
import numpy as np
import pytest

from serving.model_server import ServerOptions, serving_apis
from serving.servable import Servable

TIMEOUT = 30


@pytest.fixture(scope="module")
def folder(push, tmp_path_factory):
    """Base paths: add with versions 1 and 2, and bad with one that is no model."""
    folder = tmp_path_factory.mktemp("bases")
    (folder / "add").mkdir()
    for version in (1, 2):
        push(folder / "add", version)
    (folder / "bad" / "3").mkdir(parents=True)
    (folder / "bad" / "3" / "saved_model.pb").write_bytes(b"no model")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def channel(folder):
    config = folder / "models.config"
    config.write_text(f'model_config_list {{ config {{ name: "add" base_path: "{folder}/add" }} }}')
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = ServerOptions(
        model_config_file=str(config),
        file_system_poll_wait_seconds=0.05,
        load_retry_interval_micros=0,
        max_num_load_retries=0,
    )
    with serving_apis(options, grpc_port=port) as found:
        assert found.grpc_address is not None
        with grpc.insecure_channel(found.grpc_address) as opened:
            yield opened


@pytest.fixture
def predictions(channel):
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture
def service(channel):
    from tensorflow_serving.apis import model_service_pb2_grpc

    return model_service_pb2_grpc.ModelServiceStub(channel)


def add_request(name: str = "add"):
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.zeros(1, np.float32)))
    return request


def reload_request(folder, *names: str, metrics=(), **fields):
    from tensorflow_serving.apis import model_management_pb2

    request = model_management_pb2.ReloadConfigRequest(metric_names=metrics)
    for name in names:
        config = request.config.model_config_list.config.add(name=name)
        config.base_path, config.model_platform = f"{folder}/{name}", "tensorflow"
        for field, value in fields.items():
            setattr(config, field, value)
    return request


def status_of(service, name):
    from tensorflow_serving.apis import get_model_status_pb2

    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = name
    return service.GetModelStatus(request, TIMEOUT).model_version_status


def error_of(call, request):
    with pytest.raises(grpc.RpcError) as caught:
        call(request, TIMEOUT)
    return caught.value.code().name, caught.value.details()


def test_failures_of_the_server_itself_are_logged_and_not_shown(predictions, caplog, monkeypatch):
    def fail(*arguments):
        raise KeyError("secret")

    monkeypatch.setattr(Servable, "signature", fail)
    with caplog.at_level(logging.ERROR, "serving.grpc_api"):
        code, details = error_of(predictions.Predict, add_request())
    assert (code, details) == ("INTERNAL", "Internal error: the server's log has it")
    assert any(r.exc_info and "secret" in str(r.exc_info[1]) for r in caplog.records)
    monkeypatch.undo()
    predictions.Predict(add_request(), TIMEOUT)


def test_a_model_that_cannot_be_loaded_says_so_and_leaves_the_others(predictions, service, folder):
    code, details = error_of(
        service.HandleReloadConfigRequest, reload_request(folder, "add", "bad")
    )
    assert code == "UNKNOWN"
    assert details.startswith("1 model(s) did not become available: {{bad due to error: ")
    (status,) = status_of(service, "bad")
    assert (status.version, status.state) == (3, status.END)
    assert status.status.error_code != 0 and status.status.error_message in details
    predictions.Predict(add_request(), TIMEOUT)


def test_a_model_without_versions_is_waited_for(predictions, service, folder, push):
    request = reload_request(folder, "add", "empty")
    call = service.HandleReloadConfigRequest.future(request, TIMEOUT)
    time.sleep(0.3)
    assert not call.done()
    push(folder / "empty", 2)
    call.result()
    response = predictions.Predict(add_request("empty"), TIMEOUT)
    assert response.model_spec.version.value == 2


@pytest.mark.parametrize(
    ("names", "fields", "message"),
    [
        (["add", "nowhere"], {}, "nowhere does not exist"),
        (["add"], {"model_platform": "tfjs"}, "requests unsupported platform tfjs"),
        (["add"], {"base_path": ""}, "has no base_path"),
        (["add"], {"name": ""}, "has no name"),
        (["add", "add"], {}, "Illegal to list model add multiple times in config list"),
    ],
)
def test_configs_that_are_refused(predictions, service, folder, names, fields, message):
    request = reload_request(folder, *names, **fields)
    code, details = error_of(service.HandleReloadConfigRequest, request)
    assert code == "INVALID_ARGUMENT" and message in details
    predictions.Predict(add_request(), TIMEOUT)


def test_metrics_that_a_reload_increases(service, folder):
    names = ["/tensorflow/cc/saved_model/load_attempt_count", "/tensorflow/serving/nothing"]
    request = reload_request(folder, "add", "bad", metrics=names)
    error_of(service.HandleReloadConfigRequest, request)
    request = reload_request(folder, "add", metrics=names)
    assert {m.name: m.int64_value_increase for m in reload(service, request)} == {
        names[0]: 0,
        names[1]: 0,
    }
    request = reload_request(folder, "add", "more", metrics=names)
    (folder / "more").symlink_to(folder / "add")
    increases = {m.name: m.int64_value_increase for m in reload(service, request)}
    assert increases == {names[0]: 1, names[1]: 0}


def reload(service, request):
    return service.HandleReloadConfigRequest(request, TIMEOUT).metric


def test_without_a_time_limit_a_stop_waits_for_what_is_asked(zoo_folder):
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = ServerOptions(
        model_name="zoo", model_base_path=str(zoo_folder), rest_api_timeout_in_ms=0
    )
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "zoo", "slow"
    request.inputs["steps"].CopyFrom(tf.make_tensor_proto(np.array([400_000], np.int64)))
    with contextlib.ExitStack() as stack:
        with serving_apis(options, grpc_port=port) as found:
            channel = stack.enter_context(grpc.insecure_channel(found.grpc_address))
            service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            slow = service.Predict.future(request, timeout=TIMEOUT)
            time.sleep(0.5)
            assert not slow.done(), "the slow request was too quick for this test"
        assert tf.make_ndarray(slow.result().outputs["n"]).tolist() == [400_000]
