"""The client against a server of a small similarity model, and against servers of other kinds."""

import http.server
import io
import json
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import PIL.Image
import pytest

from serving.client import (
    BadImageError,
    ClientError,
    RequestError,
    ServerUnavailableError,
    SimilarityClient,
    VersionInfo,
)
from serving.neighbours import Neighbour
from serving.signatures import TensorSpec


def grey(value, image_format="PNG"):
    file = io.BytesIO()
    PIL.Image.new("RGB", (8, 8), (value,) * 3).save(file, image_format)
    return file.getvalue()


@pytest.fixture
def client(similar_url):
    with SimilarityClient(similar_url) as client:
        yield client


@pytest.fixture
def other_server():
    """A web server that answers every request with what the test sets."""
    answer: dict[str, Any] = {"status": 200, "body": b"<html>"}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(answer["status"])
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


def test_neighbours_without_padding(client):
    first, second, third = client.similar(grey(100))
    assert first == Neighbour(1, "id-1", "tulip", 1, 1.0, True)
    assert (second.rank, second.id, second.is_match) == (2, "id-0", False)
    assert second.score == pytest.approx(1 - 100 / 255, abs=1e-6)
    assert (third.rank, third.label, third.class_name) == (3, 2, "müllerröschen")


def test_k(client):
    assert [n.label for n in client.similar(grey(210), k=1)] == [2]
    assert len(client.similar(grey(210), k=5)) == 3
    with pytest.raises(ValueError, match="k is 6, but the model returns 5"):
        client.similar(grey(210), k=6)
    with pytest.raises(ValueError, match="at least 1"):
        client.similar(grey(210), k=0)


@pytest.mark.parametrize("as_path", [str, lambda path: path])
def test_a_file(client, tmp_path, as_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(grey(0, "JPEG"))
    assert client.similar(as_path(path), k=1)[0].id == "id-0"
    with pytest.raises(FileNotFoundError):
        client.similar(as_path(tmp_path / "missing.jpg"))


def test_a_batch(client):
    answers = client.similar_batch([grey(0), grey(200, "BMP"), grey(110)], k=2)
    assert [[n.label for n in answer] for answer in answers] == [[0, 1], [2, 1], [1, 2]]
    assert client.similar_batch([]) == []


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"no image",
        grey(5)[:40],
        grey(5, "JPEG")[:-200],
        grey(5, "GIF")[:12],
        grey(5, "BMP")[:99],
    ],
    ids=len,
)
def test_bad_images(client, image):
    with pytest.raises(BadImageError) as caught:
        client.similar(image)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    with pytest.raises(BadImageError):
        client.similar_batch([grey(5), image])
    assert client.similar(grey(0), k=1)[0].id == "id-0"


def test_status_and_metadata(client):
    assert client.status() == [VersionInfo(12, "AVAILABLE", "OK", "")]
    metadata = client.metadata()
    assert (metadata.name, metadata.version) == ("flowers", 12)
    signature = metadata.signatures["serving_default"]
    assert signature.inputs == {"image_bytes": TensorSpec("string", (None,))}
    assert signature.outputs["neighbour_scores"] == TensorSpec("float", (None, 5))
    assert signature.outputs["is_match"].dtype == "bool"


def test_no_server():
    with SimilarityClient("http://127.0.0.1:9", timeout=1) as client:
        for call in (client.status, client.metadata, lambda: client.similar(grey(0))):
            with pytest.raises(ServerUnavailableError, match="127.0.0.1:9"):
                call()


def test_no_such_model(similar_url):
    with SimilarityClient(similar_url, model_name="trees") as client:
        with pytest.raises(ServerUnavailableError, match=r"Latest\(trees\)"):
            client.similar(grey(0))
        with pytest.raises(ServerUnavailableError, match="any versions of model trees"):
            client.status()


def test_a_model_that_is_none_of_similarity(zoo):
    with SimilarityClient(str(zoo.base_url), model_name="zoo") as client:
        with pytest.raises(RequestError, match="not of expected type: float") as caught:
            client.similar(grey(0))
        assert not isinstance(caught.value, BadImageError)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>", RequestError),
        (200, b"{}", RequestError),
        (200, b"[]", RequestError),
        (200, b'{"predictions": []}', RequestError),
        (200, b'{"predictions": [[0.1, 0.2]]}', RequestError),
        (200, b'{"predictions": [{"neighbour_ids": ["a"]}]}', RequestError),
        (400, b'{"error": "Input is no JSON"}', RequestError),
        (400, b'{"error": "Invalid PNG data"}', BadImageError),
        (500, b'{"error": "image"}', RequestError),
        (500, b"", RequestError),
        (429, b'{"error": "full"}', ServerUnavailableError),
        (503, b"<html>", ServerUnavailableError),
        (504, b'{"error": "slow"}', ServerUnavailableError),
    ],
)
def test_other_answers(other_server, status, body, error):
    url, answer = other_server
    answer.update(status=status, body=body)
    with SimilarityClient(url) as client:
        with pytest.raises(ClientError) as caught:
            client.similar(grey(0))
        assert type(caught.value) is error
        if error is not BadImageError:
            with pytest.raises(error):
                client.status()
            with pytest.raises(error):
                client.metadata()


def test_lengths_that_differ(other_server):
    url, answer = other_server
    prediction: dict[str, Any] = {
        name: ["a"] for name in ("neighbour_ids", "neighbour_class_names")
    }
    prediction |= {"neighbour_labels": [1], "neighbour_scores": [1.0, 0.5], "is_match": [True]}
    answer["body"] = json.dumps({"predictions": [prediction]}).encode()
    with SimilarityClient(url) as client, pytest.raises(RequestError, match="differ in length"):
        client.similar(grey(0))


def test_a_proxy_is_not_asked_for_this_machine(similar_url, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with SimilarityClient(similar_url) as client:
        assert client.status()


def test_scores_survive_exactly(client):
    score = client.similar(grey(133), k=1)[0].score
    assert repr(score) == str(np.float32(score)) and score not in (0.0, 1.0)


def test_it_needs_no_tensorflow():
    code = "import sys, serving.client; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
