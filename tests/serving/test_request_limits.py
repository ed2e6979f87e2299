"""What is too large or takes too long: refused early, over both APIs, and the server goes on."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import pathlib
import socket
import subprocess
import sys
import time

import grpc
import httpx
import numpy as np
import pytest

from serving.model_server import ServerOptions, serving_apis
from serving.rest_api import RestApi

LIMIT = 100_000
TOO_LARGE = {"error": f"the request is larger than {LIMIT} bytes"}
PREDICT = "/v1/models/zoo:predict"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def server(zoo_folder):
    """A server that takes requests of 100,000 bytes, each for two seconds."""
    options = ServerOptions(
        str(zoo_folder), model_name="zoo", max_request_bytes=LIMIT, rest_api_timeout_in_ms=2000
    )
    with serving_apis(options, grpc_port=free_port()) as found:
        yield found


@pytest.fixture(scope="module")
def client(server):
    with httpx.Client(base_url=server.url, timeout=30) as found:
        yield found


def body_of(size: int) -> bytes:
    """A request that is right, and so many bytes long."""
    body = json.dumps({"signature_name": "raw", "instances": ["x"]}).encode()
    return body.replace(b'"x"', b'"' + b"x" * (size - len(body) + 1) + b'"')


def still_answers(client: httpx.Client) -> bool:
    return client.post(PREDICT, json={"instances": [1.0]}).json() == {"predictions": [2.5]}


class TestSize:
    def test_as_large_as_allowed(self, client):
        body = body_of(LIMIT)
        assert len(body) == LIMIT
        assert client.post(PREDICT, content=body).status_code == 200

    def test_one_byte_more_by_its_header(self, client):
        response = client.post(PREDICT, content=body_of(LIMIT + 1))
        assert (response.status_code, response.json()) == (413, TOO_LARGE)
        assert still_answers(client)

    def test_one_byte_more_in_chunks(self, client):
        body = body_of(LIMIT + 1)
        chunks = (body[begin : begin + 1000] for begin in range(0, len(body), 1000))
        response = client.post(PREDICT, content=chunks)
        assert (response.status_code, response.json()) == (413, TOO_LARGE)
        assert still_answers(client)

    def test_the_header_alone_is_enough(self, server):
        """No byte of the body is waited for, and the answer is read before the rest is sent."""
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {10**12}\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")

    @pytest.mark.parametrize("length", ["9" * 5000, "-1", "1e3", "٣", ""])
    def test_lengths_that_are_none(self, server, client, length):
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(1000)[:10] == b"HTTP/1.1 4"
        assert still_answers(client)

    def test_what_is_compressed_counts_uncompressed(self, client):
        headers = {"content-encoding": "gzip"}
        small = gzip.compress(body_of(LIMIT))
        assert client.post(PREDICT, content=small, headers=headers).status_code == 200
        bomb = gzip.compress(body_of(LIMIT + 1))
        assert len(bomb) < 1000
        response = client.post(PREDICT, content=bomb, headers=headers)
        assert response.status_code == 400
        assert response.json() == {"error": f"The gzipped body has more than {LIMIT} bytes inside"}
        assert still_answers(client)

    def test_other_requests_have_no_use_for_a_body(self, client):
        response = client.request("GET", "/v1/models/zoo", content=b"x" * (LIMIT + 1))
        assert response.status_code == 200

    def test_no_more_is_read_than_the_limit(self):
        """100 megabytes are announced by nobody; the application takes the limit and one chunk."""
        chunk, taken, sent = b"x" * 1000, 0, []

        async def receive():
            nonlocal taken
            taken += len(chunk)
            return {"type": "http.request", "body": chunk, "more_body": taken < 100_000_000}

        async def send(message):
            sent.append(message)

        class Inference:
            """All that is asked of it before the body is there."""

            def measured(self, *of_what):
                return contextlib.nullcontext()

        api = RestApi(Inference(), 0.0, LIMIT)  # type: ignore[arg-type]
        scope = {
            "type": "http",
            "method": "POST",
            "path": PREDICT,
            "raw_path": PREDICT.encode(),
            "query_string": b"",
            "headers": [],
        }
        asyncio.run(api(scope, receive, send))
        assert sent[0]["status"] == 413
        assert taken == LIMIT + len(chunk)


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_stays_small_while_100_megabytes_arrive(zoo_folder, tmp_path):
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "serving.model_server",
        f"--model_base_path={zoo_folder}",
        "--model_name=zoo",
        f"--rest_api_port={port}",
        "--port=0",
        f"--max_request_bytes={2 * 2**20}",
    ]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            wait_for(lambda: answers(client), process)
            assert still_answers(client)
            before = peak(process.pid)
            statuses = [upload(port, chunked) for chunked in (False, True) for _ in range(3)]
            assert set(statuses) == {413}
            assert peak(process.pid) - before < 32 * 2**20
            assert still_answers(client)
    finally:
        process.terminate()
        process.wait(30)


def upload(port: int, chunked: bool) -> int:
    """Sends 100 MB as fast as they are taken; the status of the answer."""
    block, blocks = b"x" * 2**20, 100
    if chunked:
        head, part = "Transfer-Encoding: chunked", f"{len(block):x}\r\n".encode() + block + b"\r\n"
    else:
        head, part = f"Content-Length: {len(block) * blocks}", block
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
        # Once it has answered it may listen no longer.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(blocks):
                connection.sendall(part)
        return int(connection.recv(1000).split()[1])


def peak(pid: int) -> int:
    """The most memory that a process ever had, in bytes."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.ConnectError:
        return False


def wait_for(condition, process: subprocess.Popen) -> None:
    end = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, "the server has ended"
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


class TestGrpc:
    @pytest.fixture(scope="class")
    def stub(self, server):
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        with grpc.insecure_channel(server.grpc_address) as channel:
            yield prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def request(self, signature: str, **inputs):
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = "zoo", signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        return request

    def test_a_message_that_is_too_large(self, stub):
        small = self.request("any_shape", x=np.zeros(LIMIT // 4 - 100, np.float32))
        assert small.ByteSize() < LIMIT
        stub.Predict(small, 20)
        large = self.request("any_shape", x=np.zeros(LIMIT // 4 + 1, np.float32))
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(large, 20)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        stub.Predict(small, 20)

    def test_answers_may_be_larger(self, stub):
        request = self.request("uneven", x=np.zeros(LIMIT // 4 - 100, np.float32))
        (twice,) = [t for n, t in stub.Predict(request, 20).outputs.items() if n == "twice"]
        assert len(twice.tensor_content) > LIMIT

    def test_a_deadline(self, stub, client):
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(self.request("slow", steps=np.array([200_000], np.int64)), 0.3)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        until_answered(client)

    def test_what_is_no_message(self, server):
        with grpc.insecure_channel(server.grpc_address) as channel:
            call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
            with pytest.raises(grpc.RpcError) as caught:
                call(b"\xff\xff\xff", timeout=20)
            assert caught.value.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
            unknown = channel.unary_unary("/tensorflow.serving.PredictionService/Nothing")
            with pytest.raises(grpc.RpcError) as caught:
                unknown(b"", timeout=20)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


class TestTime:
    """Of what the network does; a slow model is in `test_rest_api.py`."""

    def test_a_body_that_does_not_come(self, server, client):
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n"
            connection.sendall(head.encode() + b'{"instances": ')
            assert b" 504 " in connection.recv(1000)
        assert still_answers(client)

    def test_a_client_that_goes_away(self, server, client):
        host, port = server.url.removeprefix("http://").split(":")
        for sent in (b"", b'{"instances": [1.0], "'):
            with socket.create_connection((host, int(port)), timeout=20) as connection:
                head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n"
                connection.sendall(head.encode() + sent)
        assert still_answers(client)


def until_answered(client: httpx.Client) -> None:
    """The model is still at the request that nobody waits for any more."""
    end = time.monotonic() + 60
    while client.post(PREDICT, json={"instances": [1.0]}).status_code != 200:
        assert time.monotonic() < end


class TestStop:
    def test_grpc_requests_under_way_are_finished(self, zoo_folder):
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = "zoo", "slow"
        request.inputs["steps"].CopyFrom(tf.make_tensor_proto(np.array([150_000], np.int64)))
        options = ServerOptions(str(zoo_folder), model_name="zoo", rest_api_timeout_in_ms=60_000)
        with serving_apis(options, grpc_port=free_port()) as found:
            assert found.grpc_address is not None
            channel = grpc.insecure_channel(found.grpc_address)
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            request.inputs["steps"].CopyFrom(tf.make_tensor_proto(np.array([1], np.int64)))
            stub.Predict(request, 60)
            request.inputs["steps"].CopyFrom(tf.make_tensor_proto(np.array([150_000], np.int64)))
            answer = stub.Predict.future(request, 120)
            time.sleep(0.3)
            assert not answer.done(), "the slow request was too quick for this test"
        (n,) = answer.result().outputs.values()
        assert tf.make_ndarray(n).tolist() == [150_000]
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(request, 5)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        channel.close()

    def test_the_grpc_port_is_free_again(self, add_folder):
        port = free_port()
        for _ in range(2):
            with serving_apis(ServerOptions(str(add_folder)), grpc_port=port) as found:
                assert found.grpc_address == f"127.0.0.1:{port}"

    def test_a_grpc_port_in_use(self, add_folder):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            server = serving_apis(ServerOptions(str(add_folder)), grpc_port=port)
            with (
                pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port} for gRPC"),
                server,
            ):
                pytest.fail("the server started")
