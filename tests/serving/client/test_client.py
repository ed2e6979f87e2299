"""The client in all its forms against a server of a small similarity model."""

import concurrent.futures
import json
import socket
import subprocess
import sys
import threading
import time

import grpc
import numpy as np
import pytest

from serving.client import (
    BadImageError,
    ClassScore,
    ModelNotFoundError,
    Neighbour,
    RequestError,
    RequestTimeoutError,
    Retries,
    ServerUnavailableError,
    VersionInfo,
)
from serving.model_server import ServerOptions, running_server
from serving.signatures import TensorSpec
from tests.serving.client.conftest import free_port, grey


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


def test_embeddings(client):
    vector = client.embed(grey(100))
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, [np.cos(100 / 255), np.sin(100 / 255)], rtol=1e-6)
    assert client.embed_batch([grey(1), grey(2), grey(3)]).shape == (3, 2)


def test_classes(client):
    assert client.classify(grey(255)) == [ClassScore("bright", 1.0), ClassScore("dark", 0.0)]
    assert client.classify(grey(0), k=1) == [ClassScore("dark", 1.0)]
    with pytest.raises(ValueError, match="at least 1"):
        client.classify(grey(0), k=0)


def test_thumbnails(client):
    assert client.thumbnails(["id-2", "id-0"]) == [grey(200), grey(0)]
    assert client.thumbnails([]) == []
    # Its name looks like that of an image, and no image is to blame.
    with pytest.raises(RequestError, match="not in the gallery") as caught:
        client.thumbnails(["rose/1.jpg"])
    assert not isinstance(caught.value, BadImageError)


def test_status_and_metadata(client):
    assert client.status() == [VersionInfo(12, "AVAILABLE", "OK", "")]
    metadata = client.metadata()
    assert (metadata.name, metadata.version) == ("flowers", 12)
    signature = metadata.signatures["serving_default"]
    assert signature.inputs == {"image_bytes": TensorSpec("string", (None,))}
    assert signature.outputs["neighbour_scores"] == TensorSpec("float", (None, 5))
    assert signature.outputs["is_match"].dtype == "bool"
    assert metadata.signatures["embed"].outputs == {"embedding": TensorSpec("float", (None, 2))}


def test_scores_survive_exactly(client):
    score = client.similar(grey(133), k=1)[0].score
    assert repr(score) == str(np.float32(score)) and score not in (0.0, 1.0)


def test_a_version(make_client, url):
    with make_client(url, version=12) as client:
        assert client.similar(grey(0), k=1)[0].id == "id-0"
        assert client.metadata().version == 12
    with make_client(url, version=13) as client:
        with pytest.raises(ModelNotFoundError, match=r"Specific\(flowers, 13\)"):
            client.similar(grey(0))
        # The states of all versions, whichever was asked for.
        assert client.status()[0].version == 12
    with (
        make_client(url, label="canary") as client,
        pytest.raises(RequestError, match="Unrecognized servable version label: canary"),
    ):
        client.similar(grey(0))


def test_no_such_model(make_client, url):
    with make_client(url, model_name="trees") as client:
        with pytest.raises(ModelNotFoundError, match=r"Latest\(trees\)"):
            client.similar(grey(0))
        with pytest.raises(ModelNotFoundError, match="any versions of model trees"):
            client.status()


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_no_server(make_client, scheme):
    url = f"{scheme}://127.0.0.1:{free_port()}"
    quick = Retries(times=1, first_wait=0.01)
    with make_client(url, timeout=5, retries=quick) as client:
        for call in (client.status, client.metadata, lambda: client.similar(grey(0))):
            with pytest.raises(ServerUnavailableError, match=url):
                call()


def test_a_model_that_is_none_of_similarity(make_client, zoo):
    with make_client(str(zoo.base_url).rstrip("/"), model_name="zoo") as client:
        with pytest.raises(RequestError) as caught:
            client.similar(grey(0))
        assert not isinstance(caught.value, BadImageError)
        with pytest.raises(RequestError, match='"embed" not found'):
            client.embed(grey(0))


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_time_out(make_client, scheme):
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        with (
            make_client(url, timeout=0.3) as client,
            pytest.raises(RequestTimeoutError, match="in time"),
        ):
            client.similar(grey(0))
        # Once: what takes long is not asked for again.
        assert time.monotonic() - started < 3


def test_headers_over_grpc(make_client):
    seen = {}

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            seen.update(details.invocation_metadata)

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1), handlers=[Handler()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with (
            make_client(f"grpc://127.0.0.1:{port}", headers={"Authorization": "abc"}) as client,
            # It knows no method at all.
            pytest.raises(RequestError, match="UNIMPLEMENTED"),
        ):
            client.status()
    finally:
        server.stop(None).wait()
    assert seen["authorization"] == "abc"


def test_a_server_that_comes_later(make_client, similar_folder):
    """The client waits for it, and a request of another one outlives its absence by retries."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    stop = threading.Event()

    def serve_after_a_while():
        time.sleep(1.0)
        with running_server(ServerOptions(str(similar_folder), model_name="flowers"), port=port):
            stop.wait()

    thread = threading.Thread(target=serve_after_a_while)
    thread.start()
    try:
        with make_client(url) as client:
            with pytest.raises(ServerUnavailableError):
                client.wait_until_available(timeout=0.1)
            client.wait_until_available(timeout=60)
            assert client.similar(grey(0), k=1)[0].id == "id-0"
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("127.0.0.1:8501",), "no server's URL"),
        (("ftp://host",), "no server's URL"),
        (("grpc://host",), "needs a port"),
        (("grpc://host:8500/v1",), "no path"),
        (("http://host", "m", 0), "timeout must be positive"),
    ],
)
def test_arguments(make_client, arguments, words):
    with pytest.raises(ValueError, match=words):
        make_client(*arguments)
    with pytest.raises(ValueError, match="not both"):
        make_client("http://host", version=1, label="stable")


def test_a_proxy_is_not_asked_for_this_machine(make_client, similar_server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with make_client(similar_server.url) as client:
        assert client.status()


def test_it_needs_no_tensorflow(similar_server):
    """Neither for its import nor for asking, over either API."""
    code = """
import json, sys
from serving.client import SimilarityClient
image = sys.stdin.buffer.read()
found = []
for url in sys.argv[1:]:
    with SimilarityClient(url) as client:
        found.append([n.id for n in client.similar(image, k=2)] + [client.metadata().version])
assert not {"tensorflow", "tensorflow_serving"} & {*sys.modules}
print(json.dumps(found))
"""
    urls = [similar_server.url, f"grpc://{similar_server.grpc_address}"]
    done = subprocess.run(
        [sys.executable, "-c", code, *urls], input=grey(100), check=True, stdout=subprocess.PIPE
    )
    assert json.loads(done.stdout) == [["id-1", "id-0", 12]] * 2
