"""The request log: what is in its files, and that they can be replayed."""

from __future__ import annotations

import logging
import pathlib
import shutil
import socket
import threading

import grpc
import httpx
import numpy as np
import pytest

from serving import request_log, servable
from serving.model_config import RequestLogging
from serving.model_server import ServerOptions, running_server, serving_apis
from serving.request_log import RequestLog
from serving.server_metrics import ServerMetrics
from serving.warmup import WARMUP_FILE, warm_up
from tests.serving.conformance import models
from tests.serving.version_files import eventually


class Record:
    """Stands in for a message."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def SerializeToString(self) -> bytes:  # noqa: N802
        return self.content


def files(prefix: pathlib.Path) -> list[pathlib.Path]:
    return sorted(prefix.parent.glob(f"{prefix.name}-*.tfrecord"))


def records(prefix: pathlib.Path) -> list[bytes]:
    import tensorflow as tf

    paths = [str(path) for path in files(prefix)]
    return list(tf.data.TFRecordDataset(paths).as_numpy_iterator())


class TestWriting:
    def test_in_order_and_complete(self, tmp_path):
        log, prefix = RequestLog(), tmp_path / "deep" / "er" / "log"
        contents = [f"record {number}".encode() for number in range(100)]
        for content in contents:
            log.add(RequestLogging(str(prefix), 1.0), Record(content))
        log.close()
        assert records(prefix) == contents
        (path,) = files(prefix)
        assert path.name.startswith("log-2") and "Z-" in path.name

    def test_it_can_be_read_while_it_is_written(self, tmp_path):
        log, prefix = RequestLog(), tmp_path / "log"
        log.add(RequestLogging(str(prefix), 1.0), Record(b"first"))
        eventually(lambda: files(prefix) and records(prefix) == [b"first"])
        log.close()

    def test_each_prefix_has_files_of_its_own(self, tmp_path):
        log = RequestLog()
        for name in ("a", "b", "a"):
            log.add(RequestLogging(str(tmp_path / name), 1.0), Record(name.encode()))
        log.close()
        assert records(tmp_path / "a") == [b"a", b"a"]
        assert records(tmp_path / "b") == [b"b"]

    def test_a_new_file_every_so_often(self, tmp_path, monkeypatch):
        monkeypatch.setattr(request_log, "_RECORDS_PER_FILE", 3)
        log, prefix = RequestLog(), tmp_path / "log"
        contents = [bytes([number]) for number in range(8)]
        for content in contents:
            log.add(RequestLogging(str(prefix), 1.0), Record(content))
        log.close()
        assert len(files(prefix)) == 3
        assert records(prefix) == contents

    def test_a_place_that_cannot_be_written_costs_its_own_records_only(self, tmp_path, caplog):
        (tmp_path / "file").write_text("")
        log, good = RequestLog(), tmp_path / "good"
        with caplog.at_level(logging.ERROR, "serving.request_log"):
            for prefix in (tmp_path / "file" / "bad", good):
                log.add(RequestLogging(str(prefix), 1.0), Record(b"record"))
            log.close()
        assert records(good) == [b"record"]
        (record,) = caplog.records
        assert "cannot write to the request log" in record.message and "bad" in record.message

    def test_a_slow_disk_slows_nobody(self, tmp_path, caplog, monkeypatch):
        monkeypatch.setattr(request_log, "_WAITING", 2)
        log, prefix = RequestLog(), tmp_path / "log"
        go_on = threading.Event()
        real = log._writer

        def slow(prefix: str):
            assert go_on.wait(20)
            return real(prefix)

        monkeypatch.setattr(log, "_writer", slow)
        with caplog.at_level(logging.WARNING, "serving.request_log"):
            for number in range(20):  # one in hand, two that wait, and more
                log.add(RequestLogging(str(prefix), 1.0), Record(bytes([number])))
        go_on.set()
        log.close()
        kept = [record[0] for record in records(prefix)]
        assert kept == sorted(kept) and 2 <= len(kept) <= 3
        complaints = [record.message for record in caplog.records]
        assert complaints[0] == "the request log is too slow: 1 records dropped"
        assert len(complaints) == 5  # at 1, 2, 4, 8 and 16

    def test_close_without_records_and_again(self):
        log = RequestLog()
        log.close()
        log.close()


class TestSampling:
    @pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
    def test_the_share(self, rate):
        log = RequestLog(seed=3)
        config = RequestLogging("/log", rate)
        count = sum(log.is_sampled(config) for _ in range(10_000))
        # Within 4 standard deviations of a binomial.
        assert abs(count - 10_000 * rate) <= 4 * (10_000 * rate * (1 - rate)) ** 0.5

    def test_no_config_logs_nothing(self):
        assert not RequestLog().is_sampled(None)


def logs(prefix: pathlib.Path) -> list:
    from tensorflow_serving.apis import prediction_log_pb2

    return [prediction_log_pb2.PredictionLog.FromString(record) for record in records(prefix)]


@pytest.fixture(scope="module")
def half_plus_two(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("half_plus_two")
    models.half_plus_two(folder / "123")
    return folder


class TestServer:
    def test_requests_and_responses_of_both_apis_can_be_replayed(self, half_plus_two, tmp_path):
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

        prefix = tmp_path / "logs" / "half"
        options = ServerOptions(
            str(half_plus_two),
            model_name="half",
            request_log_prefix=str(prefix),
            request_log_sampling_rate=1.0,
        )
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        with serving_apis(options, grpc_port=port) as server:
            model = f"{server.url}/v1/models/half"
            ask = {"signature_name": "regress_x_to_y", "examples": [{"x": 4.0}]}
            assert httpx.post(f"{model}:predict", json={"instances": [1.0, 2.0]}).is_success
            assert httpx.post(f"{model}:regress", json=ask).json() == {"results": [4.0]}
            ask["signature_name"] = "classify_both"
            assert httpx.post(f"{model}:classify", json=ask).is_success
            assert httpx.post(f"{model}:predict", json={"instances": ["x"]}).status_code == 400
            request = predict_pb2.PredictRequest()
            request.model_spec.name = "half"
            request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.array([5.0], np.float32)))
            assert server.grpc_address is not None
            with grpc.insecure_channel(server.grpc_address) as channel:
                prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request)

        found = logs(prefix)
        assert [log.WhichOneof("log_type") for log in found] == [
            "predict_log",
            "regress_log",
            "classify_log",
            "predict_log",
        ]
        for log in found:
            pair = getattr(log, log.WhichOneof("log_type"))
            for message in (log.log_metadata, pair.request, pair.response):
                assert message.model_spec.name == "half"
                assert message.model_spec.version.value == 123
        first, regress, classify, last = found
        pair = first.predict_log
        np.testing.assert_array_equal(tf.make_ndarray(pair.request.inputs["x"]), [1.0, 2.0])
        np.testing.assert_array_equal(tf.make_ndarray(pair.response.outputs["y"]), [2.5, 3.0])
        assert tf.make_ndarray(last.predict_log.response.outputs["y"]).tolist() == [4.5]
        (value,) = regress.regress_log.response.result.regressions
        assert value.value == 4.0
        (row,) = classify.classify_log.response.result.classifications
        assert [(c.label, c.score) for c in row.classes] == [("small", 4.0), ("large", -4.0)]
        spec = classify.classify_log.request.model_spec
        assert spec.signature_name == "classify_both"

        # As TensorFlow Serving's documents have it: the log of one server warms up the next.
        base = tmp_path / "next"
        shutil.copytree(half_plus_two, base)
        warm = base / "123" / WARMUP_FILE
        warm.parent.mkdir()
        (path,) = files(prefix)
        shutil.copyfile(path, warm)
        loaded = servable.load("next", 123, str(base / "123"))
        assert warm_up(loaded, str(base / "123"), ServerMetrics()) == 4

    def test_models_have_their_own_logging(self, push, tmp_path):
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            push(tmp_path / name, 1)
        config = tmp_path / "models.config"
        config.write_text(
            f"""model_config_list {{
              config {{ name: "a" base_path: "{tmp_path}/a" logging_config {{
                log_collector_config {{ filename_prefix: "{tmp_path}/logs/a" }}
                sampling_config {{ sampling_rate: 1 }} }} }}
              config {{ name: "b" base_path: "{tmp_path}/b" }} }}"""
        )
        with running_server(ServerOptions(model_config_file=str(config))) as url:
            for name in ("a", "b", "a"):
                body = {"instances": [0.0]}
                assert httpx.post(f"{url}/v1/models/{name}:predict", json=body).is_success
        assert [log.log_metadata.model_spec.name for log in logs(tmp_path / "logs" / "a")] == [
            "a",
            "a",
        ]
        assert files(tmp_path / "logs" / "b") == []

    def test_binary_strings_and_large_requests_are_whole(self, zoo_folder, tmp_path):
        import tensorflow as tf

        options = ServerOptions(
            str(zoo_folder),
            model_name="zoo",
            request_log_prefix=str(tmp_path / "log"),
            request_log_sampling_rate=1.0,
        )
        values = np.random.default_rng(0).normal(size=50_000).astype(np.float32)
        with running_server(options) as url:
            body = {"signature_name": "raw", "instances": [{"b64": "AP8="}]}
            assert httpx.post(f"{url}/v1/models/zoo:predict", json=body).is_success
            body = {"signature_name": "any_shape", "inputs": values.tolist()}
            assert httpx.post(f"{url}/v1/models/zoo:predict", json=body).is_success
        raw, large = (log.predict_log for log in logs(tmp_path / "log"))
        assert tf.make_ndarray(raw.request.inputs["text"]).tolist() == [b"\x00\xff"]
        assert tf.make_ndarray(raw.response.outputs["only_bytes"]).tolist() == [b"\x00\xff"]
        np.testing.assert_array_equal(tf.make_ndarray(large.request.inputs["x"]), values)
