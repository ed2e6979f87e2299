"""A server with batching, asked by many clients at once: everyone gets the right answer."""

from __future__ import annotations

import base64
import concurrent.futures
import io
import socket

import grpc
import httpx
import numpy as np
import pytest
from PIL import Image

from serving.model_server import ServerOptions, serving_apis

CLIENTS = 16
PARAMETERS = """
max_batch_size { value: 8 }
batch_timeout_micros { value: 5000 }
max_enqueued_batches { value: 100 }
num_batch_threads { value: 2 }
allowed_batch_sizes: [1, 4, 8]
"""
BATCH_SIZE = ":tensorflow:serving:batching_session:processed_batch_size"


def grey(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 8), value).save(buffer, "png")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the server's configuration files are."""
    folder = tmp_path_factory.mktemp("config")
    (folder / "batching.config").write_text(PARAMETERS)
    (folder / "monitoring.config").write_text('prometheus_config { enable: true path: "/metrics" }')
    return folder


def options(base, name, folder, **more) -> ServerOptions:
    return ServerOptions(
        str(base),
        model_name=name,
        enable_batching=True,
        batching_parameters_file=str(folder / "batching.config"),
        monitoring_config_file=str(folder / "monitoring.config"),
        rest_api_num_threads=CLIENTS,
        **more,
    )


@pytest.fixture(scope="module")
def flowers(similar_folder, folder):
    """A server of the similarity model."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with serving_apis(options(similar_folder, "flowers", folder), grpc_port=port) as found:
        yield found


@pytest.fixture(scope="module")
def zoo_batched(zoo_folder, folder):
    with serving_apis(options(zoo_folder, "zoo", folder)) as found:
        yield found.url


def at_once(ask, questions) -> list:
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(ask, questions))


def batches_of(url: str) -> tuple[int, int]:
    """How many batches ran, and how many rows they had."""
    text = httpx.get(f"{url}/metrics").text
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith(BATCH_SIZE)]
    values = {name.split("{")[0]: float(value) for name, value in lines}
    return int(values[f"{BATCH_SIZE}_count"]), int(values[f"{BATCH_SIZE}_sum"])


def test_one_bad_image_among_many_fails_alone(flowers, similar_url):
    images = [grey(value) for value in range(0, 240, 3)]
    bad = {7: b"no image", 40: images[40][:30], 41: b"", 79: images[79][:-20]}
    for number, content in bad.items():
        images[number] = content
    body = [{"instances": [{"b64": base64.b64encode(image).decode()}]} for image in images]
    client = httpx.Client(timeout=60)

    def ask(url: str):
        def post(number: int):
            return client.post(f"{url}/v1/models/flowers:predict", json=body[number])

        return post

    with client:
        alone = [ask(similar_url)(number) for number in range(len(body))]
        batched = at_once(ask(flowers.url), range(len(body)))
    for number, (expected, found) in enumerate(zip(alone, batched, strict=True)):
        assert found.status_code == expected.status_code == (400 if number in bad else 200)
        assert found.json() == expected.json()
    count, rows = batches_of(flowers.url)
    assert rows >= len(body) and count < len(body)


def test_both_apis_share_batches(flowers):
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    with grpc.insecure_channel(flowers.grpc_address) as channel, httpx.Client(timeout=60) as client:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def ask(value: int) -> float:
            if value % 2:
                request = predict_pb2.PredictRequest()
                request.model_spec.name = "flowers"
                request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([grey(value)]))
                response = stub.Predict(request, 60)
                return float(tf.make_ndarray(response.outputs["neighbour_scores"])[0, 0])
            body = {"instances": [{"b64": base64.b64encode(grey(value)).decode()}]}
            answer = client.post(f"{flowers.url}/v1/models/flowers:predict", json=body).json()
            return answer["predictions"][0]["neighbour_scores"][0]

        values = list(range(100))
        found = at_once(ask, values)
    # The gallery has the greys 0, 100 and 200.
    expected = [1 - min(abs(value - grey) for grey in (0, 100, 200)) / 255 for value in values]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_requests_of_many_sizes_and_signatures(zoo_batched):
    random = np.random.default_rng(0)

    client = httpx.Client(timeout=60)

    def ask(number: int):
        rows = int(random.integers(1, 20))  # some are larger than a batch
        if number % 2:
            body: dict = {"instances": [float(number)] * rows}
            expected: object = [number / 2 + 2] * rows
        else:
            body = {
                "signature_name": "several",
                "instances": [{"a": number, "b": [1, 2, 3]}] * rows,
            }
            expected = [{"b": [1, 2, 3], "total": number + 6.0}] * rows
        answer = client.post(f"{zoo_batched}/v1/models/zoo:predict", json=body)
        return answer.json() == {"predictions": expected}

    with client:
        assert all(at_once(ask, range(120)))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"instances": [[1.0]]}, "input x has shape [1,1], but the signature expects [?]"),
        ({"instances": ["x"]}, "not of expected type: float"),
        ({"signature_name": "nope", "instances": [1.0]}, '"nope" not found'),
        ({"signature_name": "positive", "instances": [-1.0]}, "x must be positive"),
        ({"signature_name": "uneven", "instances": [1.0]}, "inconsistent batch size"),
    ],
)
def test_bad_requests_are_refused_as_without_batching(zoo, zoo_batched, body, message):
    alone = zoo.post("/v1/models/zoo:predict", json=body)
    batched = httpx.post(f"{zoo_batched}/v1/models/zoo:predict", json=body)
    assert alone.status_code == batched.status_code == 400
    assert message in alone.json()["error"]
    assert alone.json() == batched.json()


def test_signatures_that_have_no_rows(zoo_batched):
    client = httpx.Client(timeout=60)

    def ask(body):
        return client.post(f"{zoo_batched}/v1/models/zoo:predict", json=body).json()

    questions = [{"signature_name": "uneven", "inputs": [float(n)]} for n in range(20)]
    with client:
        assert ask({"signature_name": "scalar", "inputs": 12}) == {"outputs": 144}
        assert ask({"signature_name": "any_shape", "inputs": 3}) == {"outputs": 3.0}
        answers = at_once(ask, questions)
    assert [a["outputs"]["twice"] for a in answers] == [[n, n] for n in range(20)]


def test_a_full_queue_is_503(zoo_folder, tmp_path):
    path = tmp_path / "batching.config"
    path.write_text(
        "max_batch_size { value: 1 } max_enqueued_batches { value: 1 } "
        "num_batch_threads { value: 1 }"
    )
    served = ServerOptions(
        str(zoo_folder),
        model_name="zoo",
        enable_batching=True,
        batching_parameters_file=str(path),
    )
    with serving_apis(served) as found, httpx.Client(base_url=found.url, timeout=60) as client:

        def ask(number: int) -> httpx.Response:
            body = {"signature_name": "slow", "inputs": [20_000]}
            return client.post("/v1/models/zoo:predict", json=body)

        responses = at_once(ask, range(8))
    statuses = [response.status_code for response in responses]
    assert set(statuses) == {200, 503}
    refused = next(response for response in responses if response.status_code == 503)
    assert (
        "The batch scheduling queue to which this task was submitted is full"
        in (refused.json()["error"])
    )


def test_versions_change_under_batches_without_a_failure(push, folder, tmp_path):
    push(tmp_path, 1)
    served = options(tmp_path, "add", folder, file_system_poll_wait_seconds=0.05)
    with serving_apis(served) as found, httpx.Client(base_url=found.url, timeout=60) as client:

        def ask(number: int) -> float:
            if number == 60:
                push(tmp_path, 2)
            answer = client.post("/v1/models/add:predict", json={"instances": [float(number)]})
            return answer.json()["predictions"][0] - number

        found_versions = at_once(ask, range(1500))
    assert set(found_versions) == {1.0, 2.0}
