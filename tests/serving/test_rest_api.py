"""The REST contract over real sockets, with a client that knows nothing of the server's code."""

import base64
import concurrent.futures
import gzip
import json
import logging
import math
import socket

import httpx
import numpy as np
import pytest
from google.protobuf import json_format

from serving.model_server import ServerOptions, running_server

MODEL = "/v1/models/zoo"
PREDICT = f"{MODEL}:predict"


def predict(client, signature=None, **body):
    if signature is not None:
        body["signature_name"] = signature
    return client.post(PREDICT, content=json.dumps(body))


def error_of(response, status):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert list(response.json()) == ["error"]
    return response.json()["error"]


class TestPredict:
    def test_row_format(self, zoo):
        response = predict(zoo, instances=[1.0, 2, 5.0])
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        assert response.json() == {"predictions": [2.5, 3.0, 4.5]}

    def test_column_format(self, zoo):
        assert predict(zoo, inputs=[1.0, 5]).json() == {"outputs": [2.5, 4.5]}
        assert predict(zoo, inputs={"x": [1.0]}).json() == {"outputs": [2.5]}

    def test_column_format_ignores_other_keys(self, zoo):
        assert predict(zoo, inputs={"x": [1.0], "z": "?"}).json() == {"outputs": [2.5]}

    def test_row_format_with_the_only_name(self, zoo):
        assert predict(zoo, instances=[{"x": 1.0}, {"x": 3}]).json() == {"predictions": [2.5, 3.5]}

    def test_an_empty_signature_name_means_the_default(self, zoo):
        assert predict(zoo, "", instances=[2]).json() == {"predictions": [3.0]}

    def test_other_top_level_keys_are_ignored(self, zoo):
        assert predict(zoo, instances=[2], context={"a": []}).json() == {"predictions": [3.0]}

    def test_several_inputs_and_outputs_by_row(self, zoo):
        rows = [{"a": 1.5, "b": [1, 2, 3]}, {"a": 0, "b": [4, 5, 6]}]
        assert predict(zoo, "several", instances=rows).json() == {
            "predictions": [{"b": [1, 2, 3], "total": 7.5}, {"b": [4, 5, 6], "total": 15.0}]
        }

    def test_several_inputs_and_outputs_by_column(self, zoo):
        inputs = {"a": [1.5, 0], "b": [[1, 2, 3], [4, 5, 6]]}
        assert predict(zoo, "several", inputs=inputs).json() == {
            "outputs": {"b": [[1, 2, 3], [4, 5, 6]], "total": [7.5, 15.0]}
        }

    def test_strings_in_and_out(self, zoo):
        content = {"b64": base64.b64encode(b"Gr\xc3\xbc\xc3\x9fe").decode()}
        answer = predict(zoo, "strings", instances=["Grüße", content, ""]).json()
        assert answer == {
            "predictions": [
                {"text": "Grüße", "raw_bytes": content},
                {"text": "Grüße", "raw_bytes": content},
                {"text": "", "raw_bytes": {"b64": ""}},
            ]
        }

    def test_binary_strings_survive(self, zoo):
        content = {"b64": base64.b64encode(bytes(range(256))).decode()}
        assert predict(zoo, "raw", instances=[content]).json() == {"predictions": [content]}

    def test_scalar_and_nested_strings_by_column(self, zoo):
        assert predict(zoo, "strings", inputs="a").json()["outputs"] == {
            "raw_bytes": {"b64": "YQ=="},
            "text": "a",
        }
        nested = [[{"b64": "YQ=="}, "b"], ["c", "d"]]
        outputs = predict(zoo, "strings", inputs={"text": nested}).json()["outputs"]
        assert outputs["text"] == [["a", "b"], ["c", "d"]]

    def test_every_integer_type_keeps_its_extremes(self, zoo):
        columns = {"boolean": [True, False], "double": [1e-300, 0.1]}
        for name in ("uint8", "int8", "int16", "uint32", "int64", "uint64"):
            bounds = np.iinfo(name)
            columns[name] = [int(bounds.min), int(bounds.max)]
        outputs = predict(zoo, "types", inputs=columns).json()["outputs"]
        assert outputs == {f"{name}_out": values for name, values in columns.items()}
        assert outputs["boolean_out"] == [True, False] and outputs["boolean_out"][0] is True

    def test_scalars_need_the_column_format(self, zoo):
        assert predict(zoo, "scalar", inputs={"n": 12}).json() == {"outputs": 144}
        assert predict(zoo, "scalar", inputs=12).json() == {"outputs": 144}
        assert "shape [1]" in error_of(predict(zoo, "scalar", instances=[12]), 400)

    def test_vectors_and_empty_lists(self, zoo):
        values: list[list] = [[[1.5, 2.0]], [[[1.0]], [[2.0]]], [[], []]]
        for value in values:
            assert predict(zoo, "any_shape", instances=value).json() == {"predictions": value}
        assert predict(zoo, "any_shape", inputs=[]).json() == {"outputs": []}

    def test_nan_and_infinity_both_ways(self, zoo):
        response = zoo.post(PREDICT, content='{"instances": [NaN, Infinity, -Infinity]}')
        assert response.text == '{"predictions": [NaN, Infinity, -Infinity]}'
        nan, high, low = json.loads(response.text)["predictions"]
        assert math.isnan(nan) and (high, low) == (math.inf, -math.inf)

    def test_float32_is_written_as_its_shortest_decimals(self, zoo):
        assert '"predictions":[0.1,1e-20,16777216.0]' in (
            predict(zoo, "any_shape", instances=[0.1, 1e-20, 2**24]).text
        )

    def test_float32_reads_back_exactly(self, zoo):
        values = np.random.default_rng(0).normal(size=2000).astype(np.float32) * 1e5
        answer = predict(zoo, "any_shape", instances=values.tolist()).json()["predictions"]
        np.testing.assert_array_equal(np.float32(answer), values)

    def test_gzip_body(self, zoo):
        headers = {"content-encoding": "gzip"}
        body = gzip.compress(b'{"instances": [1.0]}')
        response = zoo.post(PREDICT, content=body, headers=headers)
        assert response.json() == {"predictions": [2.5]}
        for broken in (b"not gzip", body[:-9]):
            response = zoo.post(PREDICT, content=broken, headers=headers)
            assert "uncompress" in error_of(response, 400)

    def test_version_in_the_url(self, zoo):
        body = {"instances": [1.0]}
        for url in (f"{MODEL}/versions/7:predict", f"{MODEL}/versions/007:predict"):
            assert zoo.post(url, json=body).json() == {"predictions": [2.5]}
        missing = zoo.post(f"{MODEL}/versions/8:predict", json=body)
        assert error_of(missing, 404) == "Servable not found for request: Specific(zoo, 8)"

    def test_urls_are_case_insensitive_but_names_are_not(self, zoo):
        body = {"instances": [1.0]}
        for url in ("/V1/Models/zoo:PREDICT", "/v1/MODELS/zoo/Versions/7:Predict"):
            assert zoo.post(url, json=body).json() == {"predictions": [2.5]}
        error_of(zoo.post("/v1/models/ZOO:predict", json=body), 404)

    def test_many_at_once(self, zoo):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda n: predict(zoo, instances=[n]).json(), range(100))
        assert [a["predictions"][0] for a in answers] == [n / 2 + 2 for n in range(100)]


class TestPredictErrors:
    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("", "JSON Parse error: The document is empty"),
            (" \n", "JSON Parse error: The document is empty"),
            ("instances = [1, 2]", "JSON Parse error: Invalid value"),
            ('{"instances": [1', "JSON Parse error"),
            (b'{"instances": ["\xff"]}', "JSON Parse error"),
            ("[" * 100_000, "JSON Parse error"),
            ('{"instances": [' + "1" * 5000 + "]}", "JSON Parse error"),
            ("[1, 2]", "Is not object"),
            ("{}", "Missing 'inputs' or 'instances' key"),
            ('{"instances": [1], "inputs": [1]}', "Not formatted correctly"),
            ('{"instances": []}', "No values in 'instances' array"),
            ('{"instances": 1}', "Expecting 'instances' to be an list/array"),
            ('{"signature_name": 5, "instances": [1]}', "key must be a string value"),
            (
                '{"signature_name": "nope", "instances": [1]}',
                'Serving signature name: "nope" not found in signature def',
            ),
            (
                '{"signature_name": "__saved_model_init_op", "instances": [1]}',
                "Failed to get input map for signature: __saved_model_init_op",
            ),
            ('{"instances": [1, "x"]}', "not of expected type: float"),
            ('{"instances": [true]}', "not of expected type: float"),
            ('{"instances": [null]}', "not of expected type: float"),
            ('{"instances": [{"b64": "eA=="}]}', "not of expected type: float"),
            ('{"instances": [1, [1]]}', "Expecting shape [] but got: [1]"),
            ('{"instances": [[1, 2], [3]]}', "Expecting tensor size: 2 but got: 1"),
            ('{"instances": [[[1, 2], [3]]]}', "Encountered list at unexpected size"),
            ('{"instances": [[1, [2]]]}', "Encountered list at unexpected level"),
            ('{"instances": [[[1], 2]]}', "found at incorrect level"),
            ('{"instances": [[1]]}', "input x has shape [1,1], but the signature expects [?]"),
            ('{"inputs": 1}', "input x has shape []"),
            ('{"instances": [{"y": 1}]}', "JSON object: does not have named input: y"),
            ('{"instances": [{"x": 1, "y": 1}]}', "does not have named input: y"),
            ('{"instances": [{}]}', "keys must be equal to: x"),
            ('{"instances": [{"x": 1}, 2]}', "Expecting object but got list at item 1"),
            ('{"instances": [2, {"x": 1}]}', "Expecting value/list but got object at item 1"),
            ('{"inputs": {"y": [1]}}', "Missing named input: x in 'inputs' object"),
        ],
        ids=lambda text: str(text[:30]),
    )
    def test_bodies_that_are_refused(self, zoo, body, message):
        error = error_of(zoo.post(PREDICT, content=body), 400)
        assert message in error
        assert len(error) < 1000

    @pytest.mark.parametrize(
        ("signature", "body", "message"),
        [
            ("several", {"instances": [1, 2]}, "instances is a plain list"),
            ("several", {"inputs": [1, 2]}, "inputs is a plain value/list"),
            ("several", {"instances": [{"a": 1}]}, "keys must be equal to: a,b"),
            (
                "several",
                {"instances": [{"a": 1, "b": [1, 2, 3]}, {"a": 1, "b": [1]}]},
                "Failed to process element: 1 key: b of 'instances' list. "
                "Error: INVALID_ARGUMENT: Expecting tensor size: 3 but got: 1",
            ),
            ("several", {"instances": [{"a": 1, "b": [1, 2]}]}, "expects [?,3]"),
            ("several", {"instances": [{"a": 1, "b": [1, 2.0, 3]}]}, "expected type: int32"),
            ("several", {"instances": [{"a": 1, "b": [1, 2**31, 3]}]}, "expected type: int32"),
            ("strings", {"instances": [5]}, "Type: Number is not of expected type: string"),
            ("strings", {"instances": [{"b64": "*"}]}, "Unable to base64 decode"),
            ("strings", {"inputs": [{"b64": 5}]}, "not formatted correctly for base64"),
            ("strings", {"instances": ["\ud800"]}, "surrogate"),
            ("raw", {"instances": [{"b64": "eA==", "x": 1}]}, "does not have named input"),
            ("any_shape", {"inputs": json.loads("[" * 40 + "]" * 40)}, "nested deeper"),
            ("half", {"instances": [1.0]}, "to type: half"),
            ("half_out", {"instances": [1.0]}, "Failed to write JSON value for tensor type: half"),
            ("scalar", {"inputs": 1.5}, "expected type: int64"),
            ("uneven", {"instances": [1.0]}, "Tensor name: x has inconsistent batch size: 1"),
        ],
    )
    def test_tensors_that_are_refused(self, zoo, signature, body, message):
        assert message in error_of(predict(zoo, signature, **body), 400)

    def test_a_dtype_without_json_form_is_unimplemented_by_column(self, zoo):
        assert "to type: half" in error_of(predict(zoo, "half", inputs=[1.0]), 501)

    def test_row_format_needs_a_batch_dimension(self, zoo):
        response = predict(zoo, "any_shape", inputs=3)
        assert response.json() == {"outputs": 3.0}
        assert predict(zoo, "uneven", inputs=[1.0]).json()["outputs"]["twice"] == [1.0, 1.0]

    def test_what_the_graph_raises_is_one_readable_sentence(self, zoo, caplog):
        with caplog.at_level(logging.INFO, "serving"):
            error = error_of(predict(zoo, "positive", instances=[1.0, -2.0]), 400)
        assert error == "assertion failed: [x must be positive:] [1 -2]"
        assert any("positive" in record.message for record in caplog.records)
        assert predict(zoo, "positive", instances=[4.0]).json() == {"predictions": [2.0]}

    def test_unknown_models(self, zoo):
        response = zoo.post("/v1/models/nope:predict", content='{"instances": [1]}')
        assert error_of(response, 404) == "Servable not found for request: Latest(nope)"
        response = zoo.post("/v1/models/nope/versions/5:predict", content='{"instances": [1]}')
        assert error_of(response, 404) == "Servable not found for request: Specific(nope, 5)"

    def test_labels_that_nobody_assigned(self, zoo):
        response = zoo.post(f"{MODEL}/labels/stable:predict", content='{"instances": [1]}')
        assert error_of(response, 400) == "Unrecognized servable version label: stable"

    def test_too_slow(self, zoo_folder):
        options = ServerOptions(str(zoo_folder), model_name="zoo", rest_api_timeout_in_ms=500)
        with running_server(options) as url, httpx.Client(base_url=url) as client:
            assert "0.5 seconds" in error_of(predict(client, "slow", inputs=[400_000]), 504)
            # The model is still at it, and may keep a busy machine from answering in time.
            answers = (predict(client, "slow", inputs=[2]).json() for _ in range(60))
            assert {"outputs": [2]} in answers


class TestUrls:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/v1/foo"),
            ("POST", "/v1/foo"),
            ("GET", "/v1/"),
            ("GET", "/v1/models/debug/zoo"),
            ("POST", "/v1/models"),
            ("GET", "/v1/models/zoo:predict"),
            ("GET", "/v1/models/foo/version/50:predict"),
            ("POST", "/v1/models/foo/versions/HELLO:predict"),
            ("POST", "/v1/models/foo/metadata"),
            ("POST", "/v1/models/foo/versions/50/labels/some_label:predict"),
            ("POST", "/v1/models/zoo:explain"),
            ("POST", "/v1/models/zoo"),
            ("PUT", "/v1/models/zoo:predict"),
            ("DELETE", "/v1/models/zoo"),
            ("PATCH", "/v1/models/zoo"),
            ("OPTIONS", "/v1/models/zoo:predict"),
        ],
    )
    def test_malformed_requests(self, zoo, method, path):
        assert error_of(zoo.request(method, path), 400) == f"Malformed request: {method} {path}"

    def test_head_has_no_body_but_the_status(self, zoo):
        assert zoo.head(MODEL).status_code == 400

    def test_no_model_name(self, zoo):
        assert error_of(zoo.get("/v1/models"), 400) == "Missing model name in request."

    @pytest.mark.parametrize("number", [str(2**63), "9" * 5000], ids=len)
    def test_version_numbers_too_large(self, zoo, number):
        response = zoo.get(f"{MODEL}/versions/{number}")
        assert "Failed to convert version" in error_of(response, 400)

    # What else is there: test_side_routes.py, test_page_routes.py.
    @pytest.mark.parametrize("path", ["/index.html", "/v2/models/zoo", "/v1"])
    def test_outside_the_api(self, zoo, path):
        for method in ("GET", "POST"):
            response = zoo.request(method, path)
            assert response.status_code == 404
            assert "json" not in response.headers["content-type"]

    @pytest.mark.parametrize("target", ["?", "?a=b", "*", "/healthz/"])
    def test_targets_that_are_no_paths(self, zoo, target):
        with socket.create_connection((zoo.base_url.host, zoo.base_url.port), 20) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 404 ")

    @pytest.mark.parametrize(
        ("method", "noun"), [("classify", "classification"), ("regress", "regression")]
    )
    def test_methods_need_signatures_of_their_own(self, zoo, method, noun):
        response = zoo.post(f"{MODEL}:{method}", content='{"examples": [{"x": 1.0}]}')
        message = f"No {noun} inputs found in SignatureDef: serving_default"
        assert error_of(response, 400) == message

    def test_names_may_be_escaped(self, zoo_folder):
        options = ServerOptions(str(zoo_folder), model_name="a/b: ü")
        with running_server(options) as url:
            model = f"{url}/v1/models/a%2Fb%3A%20%C3%BC"
            assert httpx.get(model).status_code == 200
            answer = httpx.post(f"{model}:predict", json={"instances": [2]}).json()
            assert answer == {"predictions": [3.0]}


class TestStatus:
    EXPECTED = {
        "model_version_status": [
            {
                "version": "7",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }

    @pytest.mark.parametrize("tail", ["", "/versions/7", "/labels/anything"])
    def test_loaded_versions(self, zoo, tail):
        response = zoo.get(MODEL + tail)
        assert response.status_code == 200 and response.json() == self.EXPECTED

    def test_it_is_the_official_message(self, zoo):
        from tensorflow_serving.apis import get_model_status_pb2

        message = json_format.Parse(
            zoo.get(MODEL).text, get_model_status_pb2.GetModelStatusResponse()
        )
        (status,) = message.model_version_status
        assert (status.version, status.state) == (7, status.AVAILABLE)

    def test_unknown(self, zoo):
        error = error_of(zoo.get("/v1/models/nope"), 404)
        assert error == "Could not find any versions of model nope"
        error = error_of(zoo.get(f"{MODEL}/versions/8"), 404)
        assert error == "Could not find version 8 of model zoo"


class TestMetadata:
    def test_model_spec_and_signatures(self, zoo):
        body = zoo.get(f"{MODEL}/metadata").json()
        assert body["model_spec"] == {"name": "zoo", "signature_name": "", "version": "7"}
        definitions = body["metadata"]["signature_def"]["signature_def"]
        assert definitions["serving_default"]["method_name"] == "tensorflow/serving/predict"
        x = definitions["serving_default"]["inputs"]["x"]
        assert x["dtype"] == "DT_FLOAT"
        assert x["tensor_shape"] == {
            "dim": [{"size": "-1", "name": ""}],
            "unknown_rank": False,
        }
        shape = definitions["any_shape"]["inputs"]["x"]["tensor_shape"]
        assert shape == {"dim": [], "unknown_rank": True}

    def test_it_is_the_official_message(self, zoo, zoo_folder):
        from tensorflow.core.protobuf import saved_model_pb2
        from tensorflow_serving.apis import get_model_metadata_pb2

        body = zoo.get(f"{MODEL}/metadata").json()
        answered = json_format.ParseDict(
            body["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap()
        )
        saved = saved_model_pb2.SavedModel.FromString(
            (zoo_folder / "7" / "saved_model.pb").read_bytes()
        )
        expected = dict(saved.meta_graphs[0].signature_def)
        assert dict(answered.signature_def) == expected

    def test_version_label_and_unknown_model(self, zoo):
        assert zoo.get(f"{MODEL}/versions/7/METADATA").status_code == 200
        error = error_of(zoo.get("/v1/models/nope/metadata"), 404)
        assert error == "Servable not found for request: Latest(nope)"
        error = error_of(zoo.get(f"{MODEL}/labels/stable/metadata"), 400)
        assert error == "Unrecognized servable version label: stable"
