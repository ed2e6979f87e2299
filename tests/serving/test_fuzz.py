"""Whatever is sent, the server answers: never a 500, never a crash, never a hang.

A server of its own process is sent bodies, URLs, heads and images that are almost right or not at
all (`damage.py`), a few hundred of each kind. For a long search, with other examples each time:

    FLOWERSIM_FUZZ_EXAMPLES=5000 pytest tests/serving/test_fuzz.py
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
from typing import Any

import httpx
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.serving import damage
from tests.serving.conformance import models

LONG = int(os.environ.get("FLOWERSIM_FUZZ_EXAMPLES", 0))
# No request takes longer than the server's own limit; twice that is a hang.
LIMIT_SECONDS, HANG_SECONDS = 20, 40
# What a client may be told: its own mistakes, a type without JSON, and too much memory.
ANSWERS = {200, 400, 404, 413, 429, 501}


def examples(usual: int):
    """How many cases a test has, and whether they are the same each time."""
    return hypothesis.settings(
        max_examples=LONG or usual,
        derandomize=not LONG,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


class Target:
    """A server under attack."""

    def __init__(self, port: int, process: subprocess.Popen, log: pathlib.Path) -> None:
        self.port, self.process, self.log = port, process, log
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=HANG_SECONDS)

    def post(self, path: str, body: bytes, **headers: str) -> httpx.Response:
        """Sends a body, and checks what must hold of every answer."""
        response = self.client.post(f"/v1/models/{path}", content=body, headers=headers)
        assert response.status_code in ANSWERS, (response.status_code, response.text)
        answer = json.loads(response.content)
        if response.status_code != 200:
            assert list(answer) == ["error"] and answer["error"]
            assert len(answer["error"]) < 2000 and "Traceback" not in answer["error"]
        return response

    def check(self) -> None:
        """Whether it lives, and still does its work."""
        assert self.process.poll() is None, f"the server ended with {self.process.poll()}"
        answer = self.client.post("/v1/models/zoo:predict", json={"instances": [1.0, 5.0]})
        assert answer.json() == {"predictions": [2.5, 4.5]}
        text = self.log.read_text()
        assert "Traceback" not in text, text[-5000:]


@pytest.fixture(scope="session")
def pushed_folder(tmp_path_factory) -> pathlib.Path:
    """A model that decodes photos as a pushed one does, and tells their mean."""
    import tensorflow as tf

    from trainer_module import images

    class Mean(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def mean(self, image_bytes):
            def one(encoded):
                image = images.to_network_input(images.canonical(encoded, 32), 24)
                return tf.reduce_mean(image)

            return {"mean": tf.map_fn(one, image_bytes, fn_output_signature=tf.float32)}

    folder = tmp_path_factory.mktemp("pushed")
    model = Mean()
    tf.saved_model.save(model, str(folder / "1"), signatures=model.mean)
    return folder


@pytest.fixture(scope="module")
def running(zoo_folder, pushed_folder, tmp_path_factory):
    """The server; it has batches, so that requests could also harm each other."""
    folder = tmp_path_factory.mktemp("fuzz")
    models.examples(folder / "examples" / "1")
    config, log = folder / "models.config", folder / "log"
    config.write_text(
        f"""model_config_list {{
          config {{ name: "zoo" base_path: "{zoo_folder}" }}
          config {{ name: "examples" base_path: "{folder}/examples" }}
          config {{ name: "flowers" base_path: "{pushed_folder}" }} }}"""
    )
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "serving.model_server",
        f"--model_config_file={config}",
        f"--rest_api_port={port}",
        "--port=0",
        f"--rest_api_timeout_in_ms={LIMIT_SECONDS * 1000}",
        "--max_request_bytes=1000000",
        "--enable_batching",
    ]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    found = Target(port, process, log)
    try:
        end = time.monotonic() + 240
        while True:
            try:
                if found.client.get("/readyz").status_code == 200:
                    break
            except httpx.ConnectError:
                assert process.poll() is None, log.read_text()
            assert time.monotonic() < end
            time.sleep(0.1)
        yield found
    finally:
        found.client.close()
        process.terminate()
        process.wait(60)


@pytest.fixture
def target(running):
    """The server, which has survived when the test is over."""
    running.check()
    yield running
    running.check()


METHODS = st.sampled_from(["zoo:predict", "examples:classify", "examples:regress"])
DOCUMENTS: list[dict[str, Any]] = [
    {"instances": [1.0, 2.0]},
    {"inputs": {"x": [1.0]}},
    {
        "signature_name": "several",
        "instances": [{"a": 1.5, "b": [1, 2, 3]}, {"a": 1, "b": [4, 5, 6]}],
    },
    {"signature_name": "several", "inputs": {"a": [1.5], "b": [[1, 2, 3]]}},
    {"signature_name": "strings", "instances": ["a", {"b64": "AP8="}]},
    {"signature_name": "any_shape", "inputs": [[[1.0]], [[2.0]]]},
    {"signature_name": "scalar", "inputs": 5},
    {"signature_name": "half", "inputs": [1.0]},
    {"signature_name": "positive", "instances": [1.0]},
    {
        "signature_name": "types",
        "inputs": dict.fromkeys(["uint8", "int8", "int16", "uint32", "int64", "uint64"], [1])
        | {"boolean": [True], "double": [0.5]},
    },
    {"examples": [{"x": 1.0, "count": 2, "name": "text", "many": [1.0, 2.0]}]},
    {"signature_name": "value", "examples": [{"y": {"b64": "AA=="}}], "context": {"x": 0.5}},
]
SERIALIZED = [json.dumps(document).encode() for document in DOCUMENTS]


@examples(150)
@given(method=METHODS, body=st.binary(max_size=200) | damage.token_soup())
def test_bodies_that_are_anything(target, method, body):
    target.post(method, body)


@examples(250)
@given(method=METHODS, document=damage.changed(DOCUMENTS))
def test_documents_with_changes(target, method, document):
    target.post(method, json.dumps(document).encode())


@examples(150)
@given(method=METHODS, body=damage.damaged(SERIALIZED), zipped=st.booleans())
def test_documents_with_damage(target, method, body, zipped):
    if zipped:
        target.post(method, gzip.compress(body), **{"content-encoding": "gzip"})
    target.post(method, body)


@examples(60)
@given(body=damage.damaged([gzip.compress(body) for body in SERIALIZED]))
def test_damage_to_what_is_compressed(target, body):
    target.post("zoo:predict", body, **{"content-encoding": "gzip"})


@pytest.mark.parametrize("opening", ["[", '{"instances":', '{"x":[', '{"b64":'])
@pytest.mark.parametrize("depth", [50, 500, 5000, 100_000])
def test_nesting(target, opening, depth):
    for start in ("", '{"instances": ', '{"examples": [', '{"signature_name": '):
        target.post("zoo:predict", f"{start}{opening * depth}".encode())
        closing = "".join({"[": "]", "{": "}"}.get(c, "") for c in reversed(opening))
        whole = f"{start}{opening * depth}1{closing * depth}"
        target.post("zoo:predict", whole.encode() + b"]}"[: 2 if "[" in start else 0])
        target.post("examples:classify", whole.encode() + b"}")


def exchange(port: int, request: bytes) -> bytes:
    """Sends bytes and no more; all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=HANG_SECONDS) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
        return answer


def check_answers(answer: bytes) -> None:
    # Nothing at all is an answer to half a request.
    for line in answer.split(b"\r\n"):
        if line.startswith(b"HTTP/1.1 "):
            status = int(line.split()[1])
            # 307: the root leads to the web page.
            assert status in ANSWERS | {100, 307, 405, 431}, answer[:500]


@examples(200)
@given(
    verb=st.sampled_from([b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"get", b"BREW"]),
    path=damage.paths(),
    head=damage.header_lines(),
    body=st.binary(max_size=30) | st.just(b'{"instances": [1.0]}'),
    sized=st.booleans(),
)
def test_urls_and_heads(target, verb, path, head, body, sized):
    lines = [verb + b" " + path + b" HTTP/1.1", b"Host: x", *head]
    if sized:
        lines.append(b"Content-Length: %d" % len(body))
    check_answers(exchange(target.port, b"\r\n".join(lines) + b"\r\n\r\n" + body))


@examples(60)
@given(st.binary(max_size=300))
def test_what_is_no_http(target, request):
    check_answers(exchange(target.port, request))


PHOTOS = damage.photos()


def ask_about(target: Target, *photos: bytes) -> httpx.Response:
    instances = [{"b64": base64.b64encode(photo).decode()} for photo in photos]
    return target.post("flowers:predict", json.dumps({"instances": instances}).encode())


def test_photos_without_damage(target):
    statuses = [ask_about(target, photo).status_code for photo in PHOTOS]
    assert statuses[:17] == [200] * 17
    # Of impossible sizes; of a JPEG that ends too early its decoder makes gray.
    assert set(statuses[17:]) <= {200, 400} and 400 in statuses[17:]


@examples(250)
@given(damage.damaged(PHOTOS))
def test_photos_with_damage(target, photo):
    assert ask_about(target, photo).status_code in (200, 400)


@examples(100)
@given(damage.damaged([photo for photo in PHOTOS if photo.startswith(b"\x89PNG")]))
def test_photos_with_damage_behind_right_checksums(target, photo):
    assert ask_about(target, damage.with_right_checksums(photo)).status_code in (200, 400)


@examples(60)
@given(
    starts=st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b""]),
    rest=st.binary(max_size=300),
)
def test_photos_that_are_only_a_beginning(target, starts, rest):
    assert ask_about(target, starts + rest).status_code in (200, 400)


@examples(40)
@given(st.lists(damage.damaged(PHOTOS), min_size=1, max_size=4))
def test_several_photos_at_once(target, photos):
    response = ask_about(target, PHOTOS[0], *photos)
    if response.status_code == 200:
        assert len(response.json()["predictions"]) == 1 + len(photos)
