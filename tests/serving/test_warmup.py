"""Warm-up records: run before a version is served, which it is not if they cannot be run."""

from __future__ import annotations

import os
import pathlib

import httpx
import numpy as np
import pytest

from serving import servable
from serving.errors import Code, ServingError
from serving.model_server import ServerOptions, running_server
from serving.server_metrics import ServerMetrics
from serving.warmup import MAX_RECORDS, WARMUP_FILE, warm_up
from tests.serving.conformance import models
from tests.serving.version_files import eventually


@pytest.fixture(scope="module")
def half_plus_two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("half_plus_two") / "123"
    models.half_plus_two(folder)
    return servable.load("half_plus_two", 123, str(folder))


@pytest.fixture
def runs(half_plus_two, monkeypatch):
    """What the model is run with, as (signature, inputs) each."""
    seen = []
    real = half_plus_two.run

    def run(signature, inputs):
        seen.append((signature, inputs))
        return real(signature, inputs)

    monkeypatch.setattr(half_plus_two, "run", run)
    return seen


def predict_log(signature: str = "", **inputs):
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return log


def examples_log(kind: str, signature: str, *xs: float):
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    request = getattr(log, kind).request
    request.model_spec.signature_name = signature
    for x in xs:
        example = request.input.example_list.examples.add()
        example.features.feature["x"].float_list.value.append(x)
    return log


def multi_log(*tasks: tuple[str, str], x: float = 1.0, model: str = "another name"):
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    request = log.multi_inference_log.request
    for signature, method in tasks:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = model, signature
    example = request.input.example_list.examples.add()
    example.features.feature["x"].float_list.value.append(x)
    return log


def write(folder: pathlib.Path, *records) -> pathlib.Path:
    import tensorflow as tf

    path = folder / WARMUP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record if isinstance(record, bytes) else record.SerializeToString())
    return path


def test_nothing_to_do(half_plus_two, runs, tmp_path):
    assert warm_up(half_plus_two, str(tmp_path), ServerMetrics()) == 0
    write(tmp_path)
    assert warm_up(half_plus_two, str(tmp_path), ServerMetrics()) == 0
    assert runs == []


def test_every_kind_of_record_is_run(half_plus_two, runs, tmp_path):
    write(
        tmp_path,
        predict_log(x=np.array([1, 2], np.float32)),
        predict_log("serving_default", x=np.array([[3]], np.float32)),
        examples_log("classify_log", "classify_both", 1.0, 2.0),
        examples_log("regress_log", "regress_x_to_y", 3.0),
        multi_log(("regress_x_to_y", "regress"), ("classify_x_to_y", "classify")),
    )
    metrics = ServerMetrics()
    assert warm_up(half_plus_two, str(tmp_path), metrics) == 5
    assert [signature for signature, _ in runs] == [
        "serving_default",
        "serving_default",
        "classify_both",
        "regress_x_to_y",
        "regress_x_to_y",
        "classify_x_to_y",
    ]
    np.testing.assert_array_equal(runs[0][1]["x"], np.array([1, 2], np.float32))
    assert len(runs[2][1]["inputs"]) == 2
    assert metrics.warmup_latency.total() == 5


@pytest.mark.parametrize(
    ("record", "code", "message"),
    [
        (lambda: b"\xff\xff", Code.DATA_LOSS, "record 1: DecodeError"),
        (lambda: b"", Code.UNIMPLEMENTED, "Unsupported log_type for warmup: None"),
        (lambda: predict_log("nope", x=[1.0]), Code.INVALID_ARGUMENT, '"nope" not found'),
        (lambda: predict_log(z=[1.0]), Code.INVALID_ARGUMENT, "Missing but required: {x}"),
        (lambda: predict_log(x=[1]), Code.INVALID_ARGUMENT, "expected float"),
        (
            lambda: examples_log("regress_log", "regress_x_to_y"),
            Code.INVALID_ARGUMENT,
            "Input is empty.",
        ),
        (
            lambda: examples_log("classify_log", "regress_x_to_y", 1.0),
            Code.INVALID_ARGUMENT,
            "at least one of",
        ),
        (
            lambda: multi_log(("regress_x_to_y", "predict")),
            Code.UNIMPLEMENTED,
            "Unsupported signature method_name",
        ),
        (lambda: session_run_log(), Code.UNIMPLEMENTED, "session_run_log"),
    ],
    ids=lambda value: "" if callable(value) else str(value)[:20],
)
def test_records_that_cannot_be_run_are_named(half_plus_two, tmp_path, record, code, message):
    write(tmp_path, predict_log(x=np.array([1], np.float32)), record())
    with pytest.raises(ServingError) as caught:
        warm_up(half_plus_two, str(tmp_path), ServerMetrics())
    assert caught.value.code is code
    assert "record 1" in caught.value.message and message in caught.value.message


def session_run_log():
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    log.session_run_log.SetInParent()
    return log


def test_a_file_that_is_cut_off(half_plus_two, tmp_path):
    path = write(tmp_path, predict_log(x=np.array([1], np.float32)))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ServingError, match=f"cannot read {path}, record 0") as caught:
        warm_up(half_plus_two, str(tmp_path), ServerMetrics())
    assert caught.value.code is Code.DATA_LOSS


def test_no_more_than_a_thousand(half_plus_two, runs, tmp_path):
    records = [predict_log(x=np.array([1], np.float32)).SerializeToString()] * MAX_RECORDS
    write(tmp_path, *records)
    assert warm_up(half_plus_two, str(tmp_path), ServerMetrics()) == MAX_RECORDS == 1000
    write(tmp_path, *records, records[0])
    with pytest.raises(ServingError, match="more than 1000 warm-up records"):
        warm_up(half_plus_two, str(tmp_path), ServerMetrics())


class TestServing:
    def options(self, base, **more):
        return ServerOptions(
            str(base), model_name="add", file_system_poll_wait_seconds=0.05, **more
        )

    def ask(self, client):
        return client.post("/v1/models/add:predict", json={"instances": [0.0]}).json()

    def push_with_records(self, push, base, version, *records):
        """The version appears whole, records included, as a pusher would do it."""
        staged = base.parent / f"{base.name}-staged"
        staged.mkdir()
        push(staged, version)
        write(staged / str(version), *records)
        os.rename(staged / str(version), base / str(version))

    def test_a_version_whose_records_cannot_be_run_is_not_served(self, push, tmp_path):
        base = tmp_path / "base"
        base.mkdir()
        self.push_with_records(push, base, 1, predict_log(x=np.array([1], np.float32)))
        with running_server(self.options(base)) as url, httpx.Client(base_url=url) as client:
            assert self.ask(client) == {"predictions": [1.0]}
            (tmp_path / "base-staged").rmdir()
            self.push_with_records(push, base, 2, predict_log(z=np.array([1], np.float32)))

            def newest():
                return client.get("/v1/models/add").json()["model_version_status"][0]

            eventually(lambda: (newest()["version"], newest()["state"]) == ("2", "END"), 20)
            assert newest()["status"]["error_code"] == "INVALID_ARGUMENT"
            assert newest()["status"]["error_message"].startswith("warm-up record 0: ")
            assert self.ask(client) == {"predictions": [1.0]}

    def test_unless_it_is_not_wanted(self, push, tmp_path):
        base = tmp_path / "base"
        base.mkdir()
        self.push_with_records(push, base, 2, predict_log(z=np.array([1], np.float32)))
        options = self.options(base, enable_model_warmup=False)
        with running_server(options) as url, httpx.Client(base_url=url) as client:
            assert self.ask(client) == {"predictions": [2.0]}
