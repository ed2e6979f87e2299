"""The client against web servers that answer something else than a model server should."""

import json
from typing import Any

import pytest

from serving.client import (
    BadImageError,
    ClientError,
    ModelNotFoundError,
    RequestError,
    RequestTimeoutError,
    Retries,
    ServerUnavailableError,
)
from tests.serving.client.conftest import grey

COLUMNS = {
    "neighbour_ids": [["a"]],
    "neighbour_class_names": [["rose"]],
    "neighbour_labels": [[1]],
    "neighbour_scores": [[0.5]],
    "is_match": [[True]],
}
GOOD = json.dumps({"outputs": COLUMNS}).encode()
QUICK = Retries(times=2, first_wait=0.001)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>", RequestError),
        (200, b"{}", RequestError),
        (200, b"[]", RequestError),
        (200, b'{"outputs": []}', RequestError),
        (200, b'{"outputs": [[0.1, 0.2]]}', RequestError),
        (200, b'{"outputs": {"neighbour_ids": ["a"]}}', RequestError),
        (400, b'{"error": "Input is no JSON"}', RequestError),
        (400, b'{"error": "Invalid PNG data"}', BadImageError),
        (413, b'{"error": "the request is larger than 9 bytes"}', RequestError),
        (500, b'{"error": "image"}', RequestError),
        (500, b"", RequestError),
        (404, b'{"error": "Servable not found"}', ModelNotFoundError),
        (429, b'{"error": "full"}', ServerUnavailableError),
        (503, b"<html>", ServerUnavailableError),
        (504, b'{"error": "slow"}', RequestTimeoutError),
    ],
)
def test_other_answers(make_client, other_server, status, body, error):
    url, answer = other_server
    answer.update(status=status, body=body)
    with make_client(url, retries=QUICK) as client:
        with pytest.raises(ClientError) as caught:
            client.similar(grey(0))
        assert type(caught.value) is error
        if error is not BadImageError:
            for call in (client.status, client.metadata):
                with pytest.raises(ClientError) as caught:
                    call()
                assert type(caught.value) is error


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"neighbour_scores": [[1.0, 0.5]]}, "differ in length"),
        ({"is_match": [[True], [False]]}, "2 rows for 1 inputs"),
        ({"neighbour_ids": ["a"]}, "no list"),
    ],
)
def test_outputs_that_are_not_those_of_a_similarity_model(
    make_client, other_server, change: dict[str, Any], words
):
    url, answer = other_server
    answer["body"] = json.dumps({"outputs": {**COLUMNS, **change}}).encode()
    with make_client(url) as client, pytest.raises(RequestError, match=words):
        client.similar(grey(0))


@pytest.mark.parametrize(
    ("status", "requests"), [(429, 3), (503, 3), (502, 3), (504, 1), (404, 1), (400, 1), (500, 1)]
)
def test_what_is_tried_again(make_client, other_server, status, requests):
    url, answer = other_server
    answer.update(status=status, body=b'{"error": "no"}')
    with make_client(url, retries=QUICK) as client, pytest.raises(ClientError):
        client.similar(grey(0))
    assert answer["requests"] == requests


def test_a_server_that_recovers(make_client, other_server):
    url, answer = other_server
    answer.update(status=[503, 429, 200], body=GOOD)
    with make_client(url, retries=QUICK) as client:
        assert client.similar(grey(0))[0].class_name == "rose"
    assert answer["requests"] == 3


def test_never_again(make_client, other_server):
    url, answer = other_server
    answer.update(status=503, body=b"{}")
    with make_client(url, retries=Retries(times=0)) as client, pytest.raises(ClientError):
        client.status()
    assert answer["requests"] == 1


def test_headers_version_and_path(make_client, other_server):
    url, answer = other_server
    answer["body"] = GOOD
    headers = {"Authorization": "Bearer abc"}
    with make_client(f"{url}/models/a", label="canary", headers=headers) as client:
        client.similar(grey(0))
    assert answer["path"] == "/models/a/v1/models/flowers/labels/canary:predict"
    assert answer["seen"]["Authorization"] == "Bearer abc"
