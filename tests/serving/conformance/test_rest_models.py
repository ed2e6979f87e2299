"""URLs, and the status and metadata of models, over REST.

From `g3doc/api_rest.md`, `model_servers/http_rest_api_util.cc`, `http_rest_api_handler.cc` and
their tests.
"""

from __future__ import annotations

import json
import urllib.request

import pytest
from google.protobuf import json_format

from tests.serving.conformance.rest_case import Case, ids

LARGEST_UINT64 = 2**64 - 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/foo"),
        ("POST", "/v1/foo"),
        ("GET", "/v1/"),
        ("GET", "/v1/models/debug/model_name"),
        ("POST", "/v1/models"),
        ("GET", "/v1/models/foo:predict"),
        ("GET", "/v1/models/foo/version/50:predict"),
        ("POST", "/v1/models/foo/version/50:regress"),
        ("POST", "/v1/models/foo/versions/HELLO:regress"),
        ("POST", "/v1/models/foo/versions/some_label:regress"),
        ("POST", "/v1/models/foo/label/some_label:regress"),
        ("POST", "/v1/models/foo/versions/50/labels/some_label:regress"),
        ("POST", "/v1/models/foo/metadata"),
        ("POST", "/v1/models/half_plus_two"),
        ("POST", "/v1/models/half_plus_two:explain"),
        ("POST", "/v1/models/half_plus_two:predict/"),
        ("GET", "/v1/models/half_plus_two/"),
        ("GET", "/v1/models/half_plus_two/versions/"),
        ("GET", "/v1/models/half_plus_two/labels/a:b"),
        ("PUT", "/v1/models/half_plus_two:predict"),
        ("DELETE", "/v1/models/half_plus_two"),
    ],
)
def test_malformed_requests(rest, method, path) -> None:
    response = rest.request(method, path)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"error": f"Malformed request: {method} {path}"}


URLS = [
    Case("no model", "/v1/models", None, "Missing model name in request.", 400),
    Case(
        "no model's metadata", "/v1/models/versions/1", None, "Missing model name in request.", 400
    ),
    *(
        Case(
            f"a version too large: {tail or 'status'}",
            f"/v1/models/foo/versions/{LARGEST_UINT64}{tail}",
            None if tail in ("", "/metadata") else "{}",
            f"Failed to convert version: {LARGEST_UINT64} to numeric.",
            400,
        )
        for tail in ("", "/metadata", ":predict", ":regress")
    ),
    Case(
        "upper case",
        "/V1/Models/half_plus_two/VERSIONS/123:Predict",
        {"instances": [2.0]},
        {"predictions": [3.0]},
    ),
    Case(
        "an escaped name",
        "/v1/models/half%5Fplus%5ftwo:predict",
        {"instances": [2.0]},
        {"predictions": [3.0]},
    ),
    Case(
        "an escaped label",
        "/v1/models/labelled/labels/st%61ble:predict",
        {"instances": [2.0]},
        {"predictions": [3.0]},
    ),
]


@pytest.mark.parametrize("case", URLS, ids=ids)
def test_urls(rest, case) -> None:
    case.check(rest)


@pytest.mark.parametrize("path", ["/", "/index", "/statuspage", "/v2/models/half_plus_two", "/v1"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_outside_the_api(rest, method, path) -> None:
    response = rest.request(method, path)
    assert response.status_code == 404
    assert "json" not in response.headers.get("content-type", "")


def available(*versions: int):
    return {
        "model_version_status": [
            {
                "version": str(version),
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
            for version in versions
        ]
    }


STATUS = [
    Case("one version", "/v1/models/half_plus_two", None, available(123)),
    Case("by its number", "/v1/models/half_plus_two/versions/123", None, available(123)),
    Case("the newest", "/v1/models/newest", None, available(3)),
    Case("the newest two", "/v1/models/two", None, available(3, 2)),
    Case("all", "/v1/models/every", None, available(3, 2, 1)),
    Case("one of all", "/v1/models/every/versions/2", None, available(2)),
    Case("specific ones", "/v1/models/labelled", None, available(2, 1)),
    Case("a label is ignored", "/v1/models/labelled/labels/stable", None, available(2, 1)),
    Case("also an unknown one", "/v1/models/every/labels/nope", None, available(3, 2, 1)),
    Case(
        "an unknown model",
        "/v1/models/nope",
        None,
        "Could not find any versions of model nope",
        404,
    ),
    Case(
        "an unknown version",
        "/v1/models/half_plus_two/versions/5",
        None,
        "Could not find version 5 of model half_plus_two",
        404,
    ),
    Case(
        "a version that is not wanted",
        "/v1/models/newest/versions/1",
        None,
        "Could not find version 1 of model newest",
        404,
    ),
]


@pytest.mark.parametrize("case", STATUS, ids=ids)
def test_status(rest, case) -> None:
    case.check(rest)


METADATA_ERRORS = [
    Case(
        "an unknown model",
        "/v1/models/nope/metadata",
        None,
        "Servable not found for request: Latest(nope)",
        404,
    ),
    Case(
        "an unknown version",
        "/v1/models/half_plus_two/versions/5/metadata",
        None,
        "Servable not found for request: Specific(half_plus_two, 5)",
        404,
    ),
    Case(
        "an unknown label",
        "/v1/models/labelled/labels/nope/metadata",
        None,
        "Unrecognized servable version label: nope",
        400,
    ),
]


@pytest.mark.parametrize("case", METADATA_ERRORS, ids=ids)
def test_metadata_that_is_not_there(rest, case) -> None:
    case.check(rest)


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("half_plus_two", 123),
        ("tensors", 7),
        ("newest", 3),
        ("every/versions/1", 1),
        ("labelled/labels/stable", 1),
        ("labelled/labels/canary", 2),
    ],
)
def test_metadata_names_model_and_version(rest, path, version) -> None:
    body = rest.get(f"/v1/models/{path}/metadata").json()
    name = path.split("/")[0]
    assert body["model_spec"] == {"name": name, "signature_name": "", "version": str(version)}
    assert list(body["metadata"]) == ["signature_def"]


def test_metadata_prints_what_the_model_declares(rest) -> None:
    body = rest.get("/v1/models/half_plus_two/metadata").json()
    signatures = body["metadata"]["signature_def"]["signature_def"]
    default = signatures["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    assert default["inputs"] == {
        "x": {
            "dtype": "DT_FLOAT",
            "tensor_shape": {
                "dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}],
                "unknown_rank": False,
            },
            "name": "x:0",
        }
    }
    assert default["outputs"]["y"]["name"] == "y:0"
    assert signatures["regress_x_to_y"]["method_name"] == "tensorflow/serving/regress"
    assert signatures["classify_both"]["method_name"] == "tensorflow/serving/classify"
    assert set(signatures["classify_both"]["outputs"]) == {"classes", "scores"}


def test_unknown_ranks_are_printed(rest) -> None:
    body = rest.get("/v1/models/tensors/metadata").json()
    signatures = body["metadata"]["signature_def"]["signature_def"]
    shape = signatures["serving_default"]["inputs"]["x"]["tensor_shape"]
    assert shape == {"dim": [], "unknown_rank": True}
    assert "__saved_model_init_op" in signatures


def test_they_are_the_official_messages(rest) -> None:
    from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

    status = get_model_status_pb2.GetModelStatusResponse()
    json_format.Parse(rest.get("/v1/models/every").text, status)
    entries = status.model_version_status
    assert [entry.version for entry in entries] == [3, 2, 1]
    assert {entry.state for entry in entries} == {entries[0].AVAILABLE}

    body = rest.get("/v1/models/half_plus_two/metadata").json()
    signatures = get_model_metadata_pb2.SignatureDefMap()
    # A newer TensorFlow's messages have fields that this one's do not.
    json_format.ParseDict(body["metadata"]["signature_def"], signatures, ignore_unknown_fields=True)
    assert signatures.signature_def["regress_x_to_y"].inputs["inputs"].name == "tf_example:0"


def test_python_alone_can_ask(server) -> None:
    request = urllib.request.Request(
        f"{server.rest}/v1/models/half_plus_two:predict",
        data=json.dumps({"instances": [1.0, 2.0, 5.0]}).encode(),
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        assert json.load(response) == {"predictions": [2.5, 3.0, 4.5]}
