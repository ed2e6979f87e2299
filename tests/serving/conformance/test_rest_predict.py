"""`:predict` over REST: what is answered, in both formats.

From `g3doc/api_rest.md`: request and response format, JSON mapping, binary values, conformance. Not
for what is refused: `test_rest_predict_errors.py`.
"""

from __future__ import annotations

import base64
import gzip
import json
import math

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


@pytest.mark.parametrize("case", ROWS, ids=ids)
def test_row_format(rest, case) -> None:
    case.check(rest)


@pytest.mark.parametrize("case", COLUMN_CASES, ids=ids)
def test_column_format(rest, case) -> None:
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
