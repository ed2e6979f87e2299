"""`:classify` and `:regress` over REST, of models of TensorFlow 1 and 2.

From `g3doc/api_rest.md`, `util/json_tensor.cc` and `servables/tensorflow/classifier.cc` and
`regressor.cc`. (The document says that the answer's key is `result`; its example and the source say
`results`.)
"""

from __future__ import annotations

import base64
import math
import re

import pytest

from tests.serving.conformance.rest_case import Case, ids

HALF, EXAMPLES = "/v1/models/half_plus_two", "/v1/models/examples"


def asks(signature: str, *examples, **other):
    return {"signature_name": signature, "examples": list(examples), **other}


REGRESS = [
    Case(
        "the example",
        f"{HALF}:regress",
        asks("regress_x_to_y", {"x": 1.0}, {"x": 2.0}),
        {"results": [2.5, 3.0]},
    ),
    Case(
        "a list of one",
        f"{HALF}:regress",
        asks("regress_x_to_y", {"x": [80.0]}),
        {"results": [42.0]},
    ),
    Case("a vector", f"{HALF}:regress", asks("regress_flat", {"x": 1.0}), {"results": [2.5]}),
    Case(
        "a feature that is left out",
        f"{HALF}:regress",
        asks("regress_x2_to_y3", {"x": 1.0}, {"x": 1.0, "x2": 4.0}),
        {"results": [3.0, 5.0]},
    ),
    Case(
        "other features",
        f"{HALF}:regress",
        asks("regress_x_to_y", {"x": 1.0, "z": "text", "w": [1, 2, 3]}),
        {"results": [2.5]},
    ),
    Case(
        "a context",
        f"{HALF}:regress",
        asks("regress_x2_to_y3", {"x": 1.0}, {"x": 2.0}, context={"x2": 2.0}),
        {"results": [4.0, 4.0]},
    ),
    Case(
        "NaN and infinity",
        f"{HALF}:regress",
        '{"signature_name": "regress_x_to_y", "examples": [{"x": NaN}, {"x": -Infinity}]}',
        {"results": [math.nan, -math.inf]},
    ),
    Case("TensorFlow 2", f"{EXAMPLES}:regress", asks("value", {"x": 7.5}), {"results": [7.5]}),
    Case(
        "with a version",
        f"{HALF}/versions/123:regress",
        asks("regress_x_to_y", {"x": 80.0}),
        {"results": [42.0]},
    ),
]

CLASSIFY = [
    Case(
        "scores alone",
        f"{HALF}:classify",
        asks("classify_x_to_y", {"x": 20.0}, {"x": 10.0}),
        {"results": [[["", 12.0]], [["", 7.0]]]},
    ),
    Case(
        "classes and scores",
        f"{HALF}:classify",
        asks("classify_both", {"x": 20.0}, {"x": 10.0}),
        {"results": [[["large", 12.0], ["small", -12.0]], [["small", 7.0], ["large", -7.0]]]},
    ),
    Case(
        "classes alone",
        f"{HALF}:classify",
        asks("classify_classes", {"x": 20.0}),
        {"results": [[["large", 0.0], ["small", 0.0]]]},
    ),
    Case(
        "every kind of feature",
        f"{EXAMPLES}:classify",
        {
            "examples": [
                {"x": 0.5, "count": 3, "name": "Grüße", "many": [1.5, 2.5]},
                {"x": 1.0, "name": {"b64": base64.b64encode(b"b").decode()}, "many": []},
                {"x": 1.0, "count": True},
            ]
        },
        {
            "results": [
                [["Grüße", 0.5], ["3", 7.0]],
                [["b", 1.0], ["0", 0.0]],
                [["", 1.0], ["1", 1.0]],
            ]
        },
    ),
]

BODIES = [
    Case("no body", f"{HALF}:classify", "", "JSON Parse error: The document is empty", 400),
    Case("a list", f"{HALF}:regress", [], re.compile("^JSON Value: .* Is not object$"), 400),
    Case(
        "a signature name that is none",
        f"{HALF}:regress",
        {"signature_name": 5, "examples": [{"x": 1.0}]},
        re.compile("'signature_name' key must be a string value.$"),
        400,
    ),
    Case(
        "no examples",
        f"{HALF}:classify",
        {"instances": [1.0]},
        re.compile("When method is classify, key 'examples' is expected and was not found$"),
        400,
    ),
    Case(
        "no examples to regress",
        f"{HALF}:regress",
        {"context": {}},
        re.compile("When method is classify, key 'examples' is expected and was not found$"),
        400,
    ),
    Case(
        "examples that are no list",
        f"{HALF}:classify",
        {"examples": {"x": 1.0}},
        re.compile("Expecting 'examples' value to be an list/array$"),
        400,
    ),
    Case(
        "an empty list",
        f"{HALF}:classify",
        {"examples": []},
        re.compile("'examples' value is an empty array$"),
        400,
    ),
    Case(
        "a number for an example",
        f"{HALF}:regress",
        asks("regress_x_to_y", {"x": 1.0}, 5),
        "Example must be JSON object but got JSON Number",
        400,
    ),
    Case(
        "a list for a context",
        f"{HALF}:regress",
        asks("regress_x_to_y", {"x": 1.0}, context=[1]),
        "Example must be JSON object but got JSON Array",
        400,
    ),
    *(
        Case(
            f"{kind} for a feature",
            f"{HALF}:regress",
            asks("regress_x_to_y", {"x": value}),
            f"Feature: x has element with unexpected JSON type: {kind}",
            400,
        )
        for kind, value in (("Null", None), ("Array", [[1.0]]), ("Object", {"y": 1}))
    ),
    *(
        Case(
            f"{name} in a feature",
            f"{HALF}:regress",
            asks("regress_x_to_y", {"x": values}),
            f"Unexpected element type in feature: x expecting type: {kind}",
            400,
        )
        for name, values, kind in (
            ("a float among ints", [1, 2.0], "int64"),
            ("an int among floats", [1.0, 2], "float"),
            ("text among floats", [1.0, "a"], "float"),
            ("a bool among texts", ["a", True], "bytes"),
        )
    ),
    Case(
        "an integer too large",
        f"{HALF}:regress",
        asks("regress_x_to_y", {"x": 2**63}),
        "Feature: x has uint64_t element. Only int64_t is supported.",
        400,
    ),
    Case(
        "not base64",
        f"{HALF}:regress",
        asks("regress_x_to_y", {"x": {"b64": "*"}}),
        "Unable to base64 decode",
        400,
    ),
]

SIGNATURES = [
    Case(
        "an unknown signature",
        f"{HALF}:classify",
        asks("nope", {"x": 1.0}),
        "No signature was found with the name: nope",
        400,
    ),
    Case(
        "an unknown signature to regress",
        f"{HALF}:regress",
        asks("nope", {"x": 1.0}),
        "No signature was found with the name: nope",
        400,
    ),
    Case(
        "a predict signature",
        f"{HALF}:classify",
        {"examples": [{"x": 1.0}]},
        re.compile("^No classification inputs found in SignatureDef: "),
        400,
    ),
    Case(
        "a predict signature to regress",
        f"{HALF}:regress",
        {"examples": [{"x": 1.0}]},
        re.compile("^No regression inputs found in SignatureDef: "),
        400,
    ),
    Case(
        "a signature of several inputs",
        "/v1/models/tensors:classify",
        asks("several", {"a": 1.0}),
        "Expected one input Tensor.",
        400,
    ),
    Case(
        "a signature of several outputs",
        f"{HALF}:regress",
        asks("classify_both", {"x": 1.0}),
        "Expected one output Tensor.",
        400,
    ),
    Case(
        "a signature to classify",
        f"{HALF}:regress",
        asks("classify_x_to_y", {"x": 1.0}),
        re.compile("^No regression outputs found in SignatureDef: "),
        400,
    ),
    Case(
        "a signature to regress",
        f"{HALF}:classify",
        asks("regress_x_to_y", {"x": 1.0}),
        re.compile(
            "^Expected classification signature outputs to contain at least one of "
            '"classes" or "scores". Signature was: '
        ),
        400,
    ),
    Case(
        "inputs that are no examples",
        f"{EXAMPLES}:regress",
        asks("floats", {"x": 1.0}),
        re.compile("float.*string"),
        400,
    ),
]

OUTPUTS = [
    Case(
        "scores that are a vector",
        f"{HALF}:classify",
        asks("classify_flat", {"x": 1.0}, {"x": 2.0}),
        "Expected Tensor shape: [batch_size num_classes] but got [2]",
        400,
    ),
    Case(
        "scores of the first alone",
        f"{HALF}:classify",
        asks("classify_first", {"x": 1.0}, {"x": 2.0}),
        "Expected scores output batch size of 2. Got: 1",
        400,
    ),
    Case(
        "more classes than scores",
        f"{HALF}:classify",
        asks("classify_uneven", {"x": 1.0}),
        "Tensors class and score should match in dim_size(1). Got 2 vs. 1",
        400,
    ),
    Case(
        "two values each",
        f"{HALF}:regress",
        asks("regress_wide", {"x": 1.0}, {"x": 2.0}),
        "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,2]",
        400,
    ),
    Case(
        "the value of the first alone",
        f"{HALF}:regress",
        asks("regress_first", {"x": 1.0}, {"x": 2.0}),
        "Input batch size did not match output batch size: 2 vs. 1",
        400,
    ),
    Case(
        "a feature of another type",
        f"{HALF}:regress",
        asks("regress_x_to_y", {"x": 1}),
        re.compile("Data types don't match.*int64.*float"),
        400,
    ),
    Case(
        "a feature that is required",
        f"{HALF}:regress",
        asks("regress_x_to_y", {"z": 1.0}),
        re.compile("Feature: x .*is required but could not be found"),
        400,
    ),
]

MODELS = [
    Case(
        "an unknown model",
        "/v1/models/nope:classify",
        {"examples": [{"x": 1.0}]},
        "Servable not found for request: Latest(nope)",
        404,
    ),
    Case(
        "an unknown version",
        f"{HALF}/versions/5:regress",
        {"examples": [{"x": 1.0}]},
        "Servable not found for request: Specific(half_plus_two, 5)",
        404,
    ),
    Case(
        "an unknown label",
        "/v1/models/labelled/labels/nope:regress",
        {"examples": [{"x": 1.0}]},
        "Unrecognized servable version label: nope",
        400,
    ),
]


@pytest.mark.parametrize("case", REGRESS, ids=ids)
def test_regress(rest, case) -> None:
    case.check(rest)


@pytest.mark.parametrize("case", CLASSIFY, ids=ids)
def test_classify(rest, case) -> None:
    case.check(rest)


@pytest.mark.parametrize("case", BODIES, ids=ids)
def test_bodies_that_are_refused(rest, case) -> None:
    case.check(rest)


@pytest.mark.parametrize("case", SIGNATURES, ids=ids)
def test_signatures_that_do_not_fit(rest, case) -> None:
    case.check(rest)


@pytest.mark.parametrize("case", OUTPUTS, ids=ids)
def test_what_the_model_refuses_or_gives(rest, case) -> None:
    case.check(rest)


@pytest.mark.parametrize("case", MODELS, ids=ids)
def test_models_that_are_not_there(rest, case) -> None:
    case.check(rest)


def test_signatures_for_examples_can_be_predicted_with(rest) -> None:
    from tensorflow.core.example import example_pb2

    message = example_pb2.Example()
    message.features.feature["x"].float_list.value.append(2.0)
    serialized = {"b64": base64.b64encode(message.SerializeToString()).decode()}
    body = {"signature_name": "regress_x_to_y", "instances": [serialized]}
    assert rest.post(f"{HALF}:predict", json=body).json() == {"predictions": [[3.0]]}
