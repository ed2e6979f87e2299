"""`:predict` over REST: answers in both formats, and every way to be refused.

From `g3doc/api_rest.md` (request and response format, JSON mapping, binary values, conformance) and
the messages of `util/json_tensor.cc` and `model_servers/http_rest_api_handler.cc`.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import re

import numpy as np
import pytest

from tests.serving.conformance.rest_case import Case, ids

HALF = "/v1/models/half_plus_two:predict"
TENSORS = "/v1/models/tensors:predict"

INTEGERS = ("uint8", "int8", "int16", "int32", "uint32", "int64", "uint64")
COLUMNS: dict[str, list] = {
    "boolean": [True, False],
    "double": [1e-300, 0.1],
    **{name: [int(np.iinfo(name).min), int(np.iinfo(name).max)] for name in INTEGERS},
}


def b64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


def asks(signature: str, **body):
    return {"signature_name": signature, **body}


ROWS = [
    Case("the example", HALF, {"instances": [1.0, 2.0, 5.0]}, {"predictions": [2.5, 3.0, 4.5]}),
    Case("vectors", HALF, {"instances": [[1.0], [2.0]]}, {"predictions": [[2.5], [3.0]]}),
    Case(
        "matrices",
        HALF,
        {"instances": [[[1, 2]], [[3, 4]]]},
        {"predictions": [[[2.5, 3.0]], [[3.5, 4.0]]]},
    ),
    Case("whole numbers for floats", HALF, {"instances": [1, 2]}, {"predictions": [2.5, 3.0]}),
    Case("exponents", HALF, '{"instances": [1e1, 1E-1]}', {"predictions": [7.0, 2.05]}),
    Case(
        "the only input by name",
        HALF,
        {"instances": [{"x": 1.0}, {"x": 2.0}]},
        {"predictions": [2.5, 3.0]},
    ),
    Case(
        "the default signature by name",
        HALF,
        asks("serving_default", instances=[3.0]),
        {"predictions": [3.5]},
    ),
    Case("an empty signature name", HALF, asks("", instances=[3.0]), {"predictions": [3.5]}),
    Case("other keys", HALF, {"instances": [3.0], "context": {"a": 1}}, {"predictions": [3.5]}),
    Case("text behind", HALF, '{"instances": [3.0]} and more', {"predictions": [3.5]}),
    Case("white space", HALF, ' \r\n\t{"instances" :\n[3.0 ]}', {"predictions": [3.5]}),
    Case(
        "several inputs and outputs",
        TENSORS,
        asks("several", instances=[{"a": 1.5, "b": [1, 2, 3]}, {"b": [4, 5, 6], "a": 0}]),
        {"predictions": [{"b": [1, 2, 3], "total": 7.5}, {"b": [4, 5, 6], "total": 15.0}]},
    ),
    Case(
        "strings",
        TENSORS,
        asks("text", instances=["foo", "Grüße", "", 'a"\\\n']),
        {"predictions": ["foo!", "Grüße!", "!", 'a"\\\n!']},
    ),
    Case(
        "escaped strings",
        TENSORS,
        '{"signature_name": "text", "instances": ["\\u00fc", "\\ud83c\\udf39", "\\/"]}',
        {"predictions": ["ü!", "🌹!", "/!"]},
    ),
    Case(
        "binary in, text out",
        TENSORS,
        asks("text", instances=[b64("ü".encode()), "b"]),
        {"predictions": ["ü!", "b!"]},
    ),
    Case(
        "outputs in _bytes",
        TENSORS,
        asks("binary", instances=[b64(bytes(range(256))), "text"]),
        {"predictions": [b64(bytes(range(256))), b64(b"text")]},
    ),
    Case(
        "binary by name",
        TENSORS,
        asks("binary", instances=[{"image_bytes": b64(b"\x00\xff")}]),
        {"predictions": [b64(b"\x00\xff")]},
    ),
    Case(
        "text and _bytes",
        TENSORS,
        asks("strings", instances=[["a", "b"]]),
        {"predictions": [{"text": ["a", "b"], "raw_bytes": [b64(b"a"), b64(b"b")]}]},
    ),
    Case(
        "every type",
        TENSORS,
        asks(
            "types",
            instances=[{name: values[row] for name, values in COLUMNS.items()} for row in (0, 1)],
        ),
        {
            "predictions": [
                {f"{name}_out": values[row] for name, values in COLUMNS.items()} for row in (0, 1)
            ]
        },
    ),
    Case("lists of nothing", TENSORS, {"instances": [[], []]}, {"predictions": [[], []]}),
    Case(
        "NaN and infinity",
        TENSORS,
        '{"instances": [NaN, Infinity, -Infinity]}',
        {"predictions": [math.nan, math.inf, -math.inf]},
    ),
    Case(
        "shortest decimals",
        TENSORS,
        {"instances": [0.1, 0.2, -3.14, 1e-20, 16777216]},
        {"predictions": [0.1, 0.2, -3.14, 1e-20, 16777216.0]},
    ),
    Case("beyond float32", TENSORS, '{"instances": [1e39]}', {"predictions": [math.inf]}),
]

COLUMN_CASES = [
    Case("a list", HALF, {"inputs": [1.0, 5.0]}, {"outputs": [2.5, 4.5]}),
    Case("by name", HALF, {"inputs": {"x": [1.0]}}, {"outputs": [2.5]}),
    Case("other names", HALF, {"inputs": {"x": [1.0], "z": "?"}}, {"outputs": [2.5]}),
    Case("a scalar", TENSORS, asks("scalar", inputs=12), {"outputs": 144}),
    Case("a scalar by name", TENSORS, asks("scalar", inputs={"n": -3}), {"outputs": 9}),
    Case("nothing", TENSORS, {"inputs": []}, {"outputs": []}),
    Case("a matrix", TENSORS, {"inputs": [[1, 2], [3, 4]]}, {"outputs": [[1.0, 2.0], [3.0, 4.0]]}),
    Case(
        "several inputs and outputs",
        TENSORS,
        asks("several", inputs={"a": [1.5, 0], "b": [[1, 2, 3], [4, 5, 6]]}),
        {"outputs": {"b": [[1, 2, 3], [4, 5, 6]], "total": [7.5, 15.0]}},
    ),
    Case(
        "every type",
        TENSORS,
        asks("types", inputs=COLUMNS),
        {"outputs": {f"{name}_out": values for name, values in COLUMNS.items()}},
    ),
    Case("a string", TENSORS, asks("text", inputs="a"), {"outputs": "a!"}),
    Case("a binary string", TENSORS, asks("text", inputs=b64(b"a")), {"outputs": "a!"}),
    Case(
        "nested strings",
        TENSORS,
        asks("strings", inputs={"text": [[b64(b"a"), "b"], ["c", "d"]]}),
        {
            "outputs": {
                "text": [["a", "b"], ["c", "d"]],
                "raw_bytes": [[b64(b"a"), b64(b"b")], [b64(b"c"), b64(b"d")]],
            }
        },
    ),
    Case(
        "outputs of different sizes",
        TENSORS,
        asks("uneven", inputs=[1.0]),
        {"outputs": {"x": [1.0], "twice": [1.0, 1.0]}},
    ),
    Case("a scalar of a list", TENSORS, asks("total", inputs=[1, 2]), {"outputs": 3.0}),
]

PARSING = [
    Case("no body", HALF, "", "JSON Parse error: The document is empty", 400),
    Case("only space", HALF, " \n", re.compile("^JSON Parse error: "), 400),
    Case("no JSON", HALF, "instances = [1]", re.compile("^JSON Parse error: Invalid value"), 400),
    Case("cut off", HALF, '{"instances": [1', re.compile("^JSON Parse error: "), 400),
    Case("single quotes", HALF, "{'instances': [1]}", re.compile("^JSON Parse error: "), 400),
    Case("a comma too much", HALF, '{"instances": [1,]}', re.compile("^JSON Parse error: "), 400),
    Case("half a number", HALF, '{"instances": [1.]}', re.compile("^JSON Parse error: "), 400),
    Case(
        "a lone surrogate", HALF, '{"a": "\\ud800x"}', re.compile("^JSON Parse error: .*surr"), 400
    ),
    Case(
        "a number too large",
        HALF,
        '{"instances": [1e400]}',
        re.compile("^JSON Parse error: Number too big to be stored in double"),
        400,
    ),
    Case("a list", HALF, [1, 2], re.compile("^JSON Value: .* Is not object$", re.DOTALL), 400),
    Case("a number", HALF, "5", "JSON Value: 5 Is not object", 400),
]

FORMAT = [
    Case("an empty object", HALF, {}, "Missing 'inputs' or 'instances' key", 400),
    Case(
        "both formats",
        HALF,
        {"instances": [1], "inputs": [1]},
        re.compile(
            "^JSON Value: .* Not formatted correctly expecting only one of 'inputs' or 'instances' "
            "keys to exist $",
            re.DOTALL,
        ),
        400,
    ),
    Case(
        "no instances",
        HALF,
        {"instances": []},
        re.compile("^JSON Value: .* No values in 'instances' array$", re.DOTALL),
        400,
    ),
    Case(
        "instances that are no list",
        HALF,
        {"instances": {"x": [1]}},
        re.compile("^JSON Value: .* Expecting 'instances' to be an list/array$", re.DOTALL),
        400,
    ),
    Case(
        "a signature name that is none",
        HALF,
        {"signature_name": 100},
        re.compile(
            "^JSON Value: .* not formatted correctly. 'signature_name' key must be a string value"
            r"\.$",
            re.DOTALL,
        ),
        400,
    ),
    Case(
        "an unknown signature",
        HALF,
        asks("nope", instances=[1]),
        'Serving signature name: "nope" not found in signature def',
        400,
    ),
    Case(
        "a signature without inputs",
        TENSORS,
        asks("__saved_model_init_op", instances=[1]),
        "Failed to get input map for signature: __saved_model_init_op",
        400,
    ),
    Case(
        "plain rows for several inputs",
        TENSORS,
        asks("several", instances=[1, 2]),
        "instances is a plain list, but expecting list of objects as multiple input tensors "
        "required as per tensorinfo_map",
        400,
    ),
    Case(
        "a plain value for several inputs",
        TENSORS,
        asks("several", inputs=[1, 2]),
        "inputs is a plain value/list, but expecting an object as multiple input tensors required "
        "as per tensorinfo_map",
        400,
    ),
    Case(
        "an unknown input in a row",
        HALF,
        {"instances": [{"x": 1, "z": 1}]},
        re.compile(
            "^Failed to process element: 0 key: z of 'instances' list. Error: .*"
            "JSON object: does not have named input: z"
        ),
        400,
    ),
    Case(
        "an input that a row lacks",
        TENSORS,
        asks("several", instances=[{"a": 1}]),
        re.compile(
            "^Failed to process element: 0 of 'instances' list. JSON object: .* keys must be equal "
            "to: a,b$",
            re.DOTALL,
        ),
        400,
    ),
    Case(
        "an input that the columns lack",
        TENSORS,
        asks("several", inputs={"a": [1]}),
        "Missing named input: b in 'inputs' object.",
        400,
    ),
    Case(
        "a value among objects",
        HALF,
        {"instances": [{"x": 1}, 2]},
        "Expecting object but got list at item 1 of input list",
        400,
    ),
    Case(
        "an object among values",
        HALF,
        {"instances": [2, {"x": 1}]},
        "Expecting value/list but got object at item 1 of input list",
        400,
    ),
]


def element(number: int, problem: str) -> re.Pattern[str]:
    start = f"Failed to process element: {number} of 'instances' list. Error: "
    return re.compile(f"^{re.escape(start)}.*{re.escape(problem)}", re.DOTALL)


def of_type(value: str, kind: str, wanted: str) -> str:
    return f"JSON Value: {value} Type: {kind} is not of expected type: {wanted}"


VALUES = [
    Case(
        "text for a float",
        HALF,
        {"instances": [1, "x"]},
        element(1, of_type('"x"', "String", "float")),
        400,
    ),
    Case(
        "true for a float",
        HALF,
        {"instances": [True]},
        element(0, of_type("true", "True", "float")),
        400,
    ),
    Case("false for a float", HALF, {"inputs": [False]}, of_type("false", "False", "float"), 400),
    Case("null for a float", HALF, {"inputs": [None]}, of_type("null", "Null", "float"), 400),
    Case(
        "binary for a float",
        HALF,
        {"instances": [b64(b"x")]},
        element(0, "Type: Object is not of expected type: float"),
        400,
    ),
    Case(
        "a fraction for an int",
        TENSORS,
        asks("scalar", inputs=1.5),
        of_type("1.5", "Number", "int64"),
        400,
    ),
    Case(
        "a whole float for an int",
        TENSORS,
        asks("scalar", inputs=1.0),
        of_type("1.0", "Number", "int64"),
        400,
    ),
    Case(
        "too large for int32",
        TENSORS,
        asks("several", inputs={"a": [1], "b": [[1, 2**31, 1]]}),
        of_type("2147483648", "Number", "int32"),
        400,
    ),
    Case(
        "too large for int64",
        TENSORS,
        asks("scalar", inputs=2**63),
        of_type("9223372036854775808", "Number", "int64"),
        400,
    ),
    Case(
        "negative for uint64",
        TENSORS,
        asks("types", inputs={**COLUMNS, "uint64": [-1]}),
        of_type("-1", "Number", "uint64"),
        400,
    ),
    Case(
        "negative for uint32",
        TENSORS,
        asks("types", inputs={**COLUMNS, "uint32": [-1]}),
        of_type("-1", "Number", "uint32"),
        400,
    ),
    Case(
        "a number for a bool",
        TENSORS,
        asks("types", inputs={**COLUMNS, "boolean": [1]}),
        of_type("1", "Number", "bool"),
        400,
    ),
    Case(
        "a number for a string",
        TENSORS,
        asks("text", inputs=[5]),
        of_type("5", "Number", "string"),
        400,
    ),
    Case(
        "null for a string",
        TENSORS,
        asks("text", inputs=[None]),
        of_type("null", "Null", "string"),
        400,
    ),
    Case(
        "not base64",
        TENSORS,
        asks("text", instances=[{"b64": "*"}]),
        element(0, "Unable to base64 decode"),
        400,
    ),
    Case(
        "b64 that is no string",
        TENSORS,
        asks("text", inputs=[{"b64": 5}]),
        re.compile("^JSON Value: .* not formatted correctly for base64 data$", re.DOTALL),
        400,
    ),
    Case(
        "b64 with a key beside it",
        TENSORS,
        asks("text", inputs=["a", {"b64": "eA==", "x": 1}]),
        re.compile("^JSON Value: .* not formatted correctly for base64 data$", re.DOTALL),
        400,
    ),
    Case(
        "rows of different sizes",
        HALF,
        {"instances": [[1, 2], [3]]},
        element(1, "Expecting tensor size: 2 but got: 1"),
        400,
    ),
    Case(
        "rows of different shapes",
        HALF,
        {"instances": [1, [1]]},
        element(1, "Expecting shape [] but got: [1]"),
        400,
    ),
    Case(
        "rows of different shapes of one size",
        HALF,
        {"instances": [[[1, 2]], [[1], [2]]]},
        element(1, "Expecting shape [1,2] but got: [2,1]"),
        400,
    ),
    Case(
        "rows of different sizes by name",
        TENSORS,
        asks("several", instances=[{"a": 1, "b": [1, 2, 3]}, {"a": 1, "b": [1]}]),
        re.compile(
            "^Failed to process element: 1 key: b of 'instances' list. Error: .*"
            "Expecting tensor size: 3 but got: 1"
        ),
        400,
    ),
    Case(
        "a ragged row",
        HALF,
        {"instances": [[[1, 2], [3]]]},
        element(0, "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
        400,
    ),
    Case(
        "a ragged column",
        HALF,
        {"inputs": [[1, 2], [3]]},
        "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
        400,
    ),
    Case(
        "a list too deep",
        HALF,
        {"inputs": [1, [2]]},
        "Encountered list at unexpected level: 1 expected < 1",
        400,
    ),
    Case(
        "a value too high",
        HALF,
        {"inputs": [[1], 2]},
        "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        400,
    ),
    Case(
        "a type without JSON by column",
        TENSORS,
        asks("half", inputs=[1.0]),
        "Conversion of JSON Value: 1.0 to type: half",
        501,
    ),
    Case(
        "a type without JSON by row",
        TENSORS,
        asks("half", instances=[1.0]),
        element(0, "Conversion of JSON Value: 1.0 to type: half"),
        400,
    ),
]

OUTPUTS = [
    Case(
        "a type without JSON",
        TENSORS,
        asks("half_out", instances=[1.0]),
        "Failed to write JSON value for tensor type: half",
        400,
    ),
    Case(
        "rows of outputs that have no rows",
        TENSORS,
        asks("total", instances=[1.0]),
        "Tensor name: total has no shape information ",
        400,
    ),
    Case(
        "rows of outputs of different sizes",
        TENSORS,
        asks("uneven", instances=[1.0]),
        re.compile(r"^Tensor name: (x|twice) has inconsistent batch size: \d expecting: \d$"),
        400,
    ),
    Case(
        "what the graph refuses",
        TENSORS,
        asks("positive", instances=[1.0, -2.0]),
        re.compile(r"assertion failed: \[x must be positive:\] \[1 -2\]"),
        400,
    ),
]

MODELS = [
    Case(
        "an unknown model",
        "/v1/models/nope:predict",
        {"instances": [1]},
        "Servable not found for request: Latest(nope)",
        404,
    ),
    Case(
        "an unknown version",
        "/v1/models/half_plus_two/versions/5:predict",
        {"instances": [1]},
        "Servable not found for request: Specific(half_plus_two, 5)",
        404,
    ),
    Case(
        "an unknown model's version",
        "/v1/models/nope/versions/50:predict",
        {"instances": [1]},
        "Servable not found for request: Specific(nope, 50)",
        404,
    ),
    Case(
        "an unknown label",
        "/v1/models/labelled/labels/nope:predict",
        {"instances": [1]},
        "Unrecognized servable version label: nope",
        400,
    ),
    Case(
        "names are case sensitive",
        "/v1/models/Half_Plus_Two:predict",
        {"instances": [1]},
        "Servable not found for request: Latest(Half_Plus_Two)",
        404,
    ),
    Case(
        "a body that is no JSON comes first",
        "/v1/models/nope:predict",
        "",
        "JSON Parse error: The document is empty",
        400,
    ),
]


@pytest.mark.parametrize("case", ROWS, ids=ids)
def test_row_format(rest, case) -> None:
    case.check(rest)


@pytest.mark.parametrize("case", COLUMN_CASES, ids=ids)
def test_column_format(rest, case) -> None:
    case.check(rest)


@pytest.mark.parametrize("case", PARSING + FORMAT, ids=ids)
def test_bodies_that_are_refused(rest, case) -> None:
    case.check(rest)


@pytest.mark.parametrize("case", VALUES, ids=ids)
def test_values_that_are_refused(rest, case) -> None:
    case.check(rest)


@pytest.mark.parametrize("case", OUTPUTS, ids=ids)
def test_outputs_that_cannot_be_given(rest, case) -> None:
    case.check(rest)


@pytest.mark.parametrize("case", MODELS, ids=ids)
def test_models_that_are_not_there(rest, case) -> None:
    case.check(rest)


@pytest.mark.parametrize(
    ("path", "addend"),
    [
        ("newest", 3.0),
        ("two", 3.0),
        ("two/versions/2", 2.0),
        ("every/versions/1", 1.0),
        ("every/versions/002", 2.0),
        ("labelled", 2.0),
        ("labelled/versions/1", 1.0),
        ("labelled/labels/stable", 1.0),
        ("labelled/labels/canary", 2.0),
    ],
)
def test_versions_and_labels(rest, path, addend) -> None:
    answer = rest.post(f"/v1/models/{path}:predict", json={"instances": [10.0]})
    assert answer.json() == {"predictions": [10.0 + addend]}


@pytest.mark.parametrize("name", ["newest", "two", "labelled"])
def test_versions_that_the_policy_does_not_want(rest, name) -> None:
    version = 3 if name == "labelled" else 1
    answer = rest.post(f"/v1/models/{name}/versions/{version}:predict", json={"instances": [1.0]})
    assert answer.status_code == 404
    message = f"Servable not found for request: Specific({name}, {version})"
    assert answer.json() == {"error": message}


def test_gzip(rest) -> None:
    body = gzip.compress(b'{"instances": [1.0, 2.0, 5.0]}')
    answer = rest.post(HALF, content=body, headers={"content-encoding": "gzip"})
    assert answer.json() == {"predictions": [2.5, 3.0, 4.5]}


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "image/png"])
def test_the_content_type_does_not_count(rest, kind) -> None:
    answer = rest.post(HALF, content='{"instances": [1.0]}', headers={"content-type": kind})
    assert answer.json() == {"predictions": [2.5]}


def test_a_query_is_ignored(rest) -> None:
    answer = rest.post(f"{HALF}?alt=json&x=/v1/", content='{"instances": [1.0]}')
    assert answer.json() == {"predictions": [2.5]}


def test_a_large_request(rest) -> None:
    values = np.random.default_rng(0).normal(size=200_000).astype(np.float32)
    answer = rest.post(TENSORS, content=json.dumps({"inputs": values.tolist()}))
    np.testing.assert_array_equal(np.float32(answer.json()["outputs"]), values)


def test_what_float32_cannot_hold_is_rounded(rest) -> None:
    answer = rest.post(TENSORS, json={"instances": [1435774380]}).json()
    assert np.float32(answer["predictions"][0]) == 1435774336


def test_every_float32_reads_back_exactly(rest) -> None:
    bits = np.random.default_rng(1).integers(0, 2**32, 5000, dtype=np.uint32)
    values = bits.view(np.float32)
    values = values[np.isfinite(values)]
    answer = rest.post(TENSORS, content=json.dumps({"instances": values.tolist()}))
    np.testing.assert_array_equal(np.float32(answer.json()["predictions"]), values)
