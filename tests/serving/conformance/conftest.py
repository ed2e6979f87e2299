"""The server that the conformance tests ask: this project's, or any other with the same API.

The tests are written from TensorFlow Serving's own documents and sources (`g3doc/api_rest.md`,
`model_servers/`, `util/json_tensor.cc`, `servables/tensorflow/`), and hold for it too. By default
they start the embedded server as a process of its own. To ask TensorFlow Serving instead, write the
models, start it on them, and say where it is and what it calls their folder:

    python -m tests.serving.conformance.models conformance /models
    docker run --rm -p 8500:8500 -p 8501:8501 -v "$PWD/conformance":/models \
        tensorflow/serving:2.16.1 --model_config_file=/models/models.config \
        --allow_version_labels_for_unavailable_models=true
    FLOWERSIM_CONFORMANCE_REST=http://127.0.0.1:8501 FLOWERSIM_CONFORMANCE_GRPC=127.0.0.1:8500 \
        FLOWERSIM_CONFORMANCE_FOLDER=/models pytest tests/serving/conformance

Not for what only this project's server does (`tests/serving/`), such as limits, probes, or refusing
shapes that a signature of TensorFlow 2 does not have.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.serving.conformance import models

MODELS = ["half_plus_two", "tensors", "examples", "newest", "two", "every", "labelled"]

_REST, _GRPC, _FOLDER = (f"FLOWERSIM_CONFORMANCE_{name}" for name in ("REST", "GRPC", "FOLDER"))


class Server:
    """Where a server is, and what it calls the folder of the models."""

    def __init__(self, rest: str, grpc: str, folder: str) -> None:
        self.rest, self.grpc, self.folder = rest, grpc, folder


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """A server of the models, every one of which can be asked."""
    given = [os.environ.get(name) for name in (_REST, _GRPC, _FOLDER)]
    if any(given) and not all(given):
        pytest.fail(f"set all of {_REST}, {_GRPC} and {_FOLDER}, or none")
    rest, grpc, folder = given
    if rest and grpc and folder:
        found = Server(rest, grpc, folder)
        _wait_until_ready(found, lambda: None)
        yield found
        return
    with _started(tmp_path_factory.mktemp("conformance")) as started:
        yield started


@contextlib.contextmanager
def _started(folder: pathlib.Path) -> Iterator[Server]:
    config = models.write(folder)
    rest, grpc = _free_ports()
    log = folder / "log"
    command = [
        sys.executable,
        "-m",
        "serving.model_server",
        f"--model_config_file={config}",
        f"--rest_api_port={rest}",
        f"--port={grpc}",
        "--allow_version_labels_for_unavailable_models=true",
        "--enable_page=false",  # TensorFlow Serving has none
    ]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        server = Server(f"http://127.0.0.1:{rest}", f"127.0.0.1:{grpc}", str(folder))

        def check() -> None:
            assert process.poll() is None, f"the server has ended:\n{log.read_text()}"

        _wait_until_ready(server, check)
        yield server
        check()
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as a, socket.create_server(("127.0.0.1", 0)) as b:
        return a.getsockname()[1], b.getsockname()[1]


def _wait_until_ready(server: Server, check) -> None:
    import grpc

    end = time.monotonic() + 240
    waiting = [f"{server.rest}/v1/models/{name}/metadata" for name in MODELS]
    waiting += [f"{server.rest}/v1/models/{name}/versions/2/metadata" for name in ("two", "every")]
    while waiting:
        check()
        with contextlib.suppress(httpx.TransportError):
            while waiting and httpx.get(waiting[0], timeout=30).status_code == 200:
                waiting.pop(0)
        assert time.monotonic() < end, f"no answer from {waiting}"
        time.sleep(0.1)
    with grpc.insecure_channel(server.grpc) as channel:
        grpc.channel_ready_future(channel).result(timeout=end - time.monotonic())


@pytest.fixture(scope="session")
def rest(server) -> Iterator[httpx.Client]:
    """A client of the REST API."""
    with httpx.Client(base_url=server.rest, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def channel(server):
    """A channel to the gRPC API, with no limit to the size of answers."""
    import grpc

    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(server.grpc, options) as opened:
        yield opened
