"""`:predict` over REST: every way to be refused.

From the messages of `util/json_tensor.cc` and `model_servers/http_rest_api_handler.cc`.
"""

from __future__ import annotations

import re

import pytest

from tests.serving.conformance.rest_case import Case, ids

HALF = "/v1/models/half_plus_two:predict"
TENSORS = "/v1/models/tensors:predict"

COLUMNS: dict[str, list] = {
    "boolean": [True],
    "double": [0.5],
    **{name: [1] for name in ("uint8", "int8", "int16", "int32", "uint32", "int64", "uint64")},
}


def asks(signature: str, **body):
    return {"signature_name": signature, **body}


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
        {"instances": [{"b64": "eA=="}]},
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


@pytest.mark.parametrize("name", ["newest", "two", "labelled"])
def test_versions_that_the_policy_does_not_want(rest, name) -> None:
    version = 3 if name == "labelled" else 1
    answer = rest.post(f"/v1/models/{name}/versions/{version}:predict", json={"instances": [1.0]})
    assert answer.status_code == 404
    message = f"Servable not found for request: Specific({name}, {version})"
    assert answer.json() == {"error": message}
