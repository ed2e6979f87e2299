"""A server of both APIs, and the client in every form that it has, with one face."""

import asyncio
import http.server
import inspect
import io
import socket
import threading
from typing import Any

import PIL.Image
import pytest

from serving.client import AsyncSimilarityClient, SimilarityClient
from serving.model_server import ServerOptions, serving_apis


def grey(value: int, image_format: str = "PNG") -> bytes:
    """An encoded image of one grey."""
    file = io.BytesIO()
    PIL.Image.new("RGB", (8, 8), (value,) * 3).save(file, image_format)
    return file.getvalue()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Awaited:
    """An asynchronous client behind the face of the other one, with a loop of its own."""

    def __init__(self, *arguments, **named):
        self._loop = asyncio.new_event_loop()

        async def make():
            return AsyncSimilarityClient(*arguments, **named)

        self._client = self._run(make())

    def __enter__(self):
        self._run(self._client.__aenter__())
        return self

    def __exit__(self, *error):
        self._run(self._client.__aexit__(*error))
        self._loop.close()

    def __getattr__(self, name):
        method = getattr(self._client, name)
        assert inspect.iscoroutinefunction(method)
        return lambda *arguments, **named: self._run(method(*arguments, **named))

    def _run(self, coroutine):
        return self._loop.run_until_complete(coroutine)


@pytest.fixture(scope="session")
def similar_server(similar_folder):
    """A server of the similarity model, named flowers, over REST and gRPC."""
    options = ServerOptions(str(similar_folder), model_name="flowers")
    with serving_apis(options, grpc_port=free_port()) as server:
        yield server


@pytest.fixture(params=["sync", "async"])
def make_client(request):
    """Makes a client of either kind."""
    return SimilarityClient if request.param == "sync" else Awaited


@pytest.fixture(params=["rest", "grpc"])
def url(request, similar_server):
    """The URL of either API."""
    return (
        similar_server.url if request.param == "rest" else f"grpc://{similar_server.grpc_address}"
    )


@pytest.fixture
def client(make_client, url):
    with make_client(url) as found:
        yield found


@pytest.fixture
def other_server():
    """A web server that answers every request with what the test sets, and counts them."""
    answer: dict[str, Any] = {"status": 200, "body": b"<html>", "headers": {}, "requests": 0}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            self.rfile.read(int(self.headers.get("content-length", 0)))
            answer["requests"] += 1
            answer["seen"] = dict(self.headers)
            answer["path"] = self.path
            status = answer["status"]
            self.send_response(status.pop(0) if isinstance(status, list) else status)
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer["body"])))
            self.end_headers()
            self.wfile.write(answer["body"])

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", answer
        server.shutdown()
