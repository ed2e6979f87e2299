"""Examples as JSON and as messages: what the conformance tests cannot see from outside."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import classification, examples_json
from serving.classification import CLASSIFY, REGRESS
from serving.errors import Code, ServingError
from serving.signatures import Signature, TensorSpec


def parsed(document):
    return examples_json.parse_request(json.dumps(document).encode())


def features(example):
    found = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        found[name] = list(getattr(feature, kind).value) if kind else None
    return found


class TestParse:
    def test_kinds_of_features(self):
        name, message = parsed(
            {
                "signature_name": "s",
                "examples": [
                    {"i": [1, -2], "f": 0.5, "s": ["ü", {"b64": "AP8="}], "t": True, "none": []},
                    {},
                ],
            }
        )
        assert name == "s"
        first, second = message.example_list.examples
        assert features(first) == {
            "i": [1, -2],
            "f": [0.5],
            "s": ["ü".encode(), b"\x00\xff"],
            "t": [1],
            "none": None,
        }
        assert features(second) == {}

    def test_a_context(self):
        _, message = parsed({"context": {"c": 1}, "examples": [{"x": 2.0}]})
        assert message.WhichOneof("kind") == "example_list_with_context"
        assert features(message.example_list_with_context.context) == {"c": [1]}

    @given(st.integers(-(2**63), 2**63 - 1), st.floats(width=32))
    def test_numbers_survive(self, integer, number):
        _, message = parsed({"examples": [{"i": integer, "f": number}]})
        (example,) = message.example_list.examples
        np.testing.assert_array_equal(features(example)["f"], [number])
        assert features(example)["i"] == [integer]

    @pytest.mark.parametrize("beside", ["1.0", "NaN"])  # which two parsers read
    @pytest.mark.parametrize("integer", [-(2**63) - 1, 2**64, -(10**30), 10**300])
    def test_integers_that_no_type_holds_are_floats(self, integer, beside):
        text = f'{{"examples": [{{"a": {beside}, "x": {integer}}}]}}'
        _, message = examples_json.parse_request(text.encode())
        (value,) = features(message.example_list.examples[0])["x"]
        with np.errstate(over="ignore"):
            assert value == np.float32(float(integer))

    @pytest.mark.parametrize("beside", ["1.0", "NaN"])
    @pytest.mark.parametrize("integer", [2**63, 2**64 - 1])
    def test_unsigned_integers_are_refused(self, integer, beside):
        text = f'{{"examples": [{{"a": {beside}, "x": {integer}}}]}}'
        with pytest.raises(ServingError, match="has uint64_t element. Only int64_t is supported"):
            examples_json.parse_request(text.encode())

    def test_an_integer_that_no_float_holds_either(self):
        text = f'{{"examples": [{{"x": {10**400}}}]}}'
        with pytest.raises(ServingError, match="Number too big to be stored in double"):
            examples_json.parse_request(text.encode())

    @pytest.mark.parametrize(
        "text", ['{"examples": [{"\\ud800": 1}]}', '{"examples": [{"a": "\\udc00"}]}']
    )
    def test_half_characters(self, text):
        with pytest.raises(ServingError, match="surrogate") as caught:
            examples_json.parse_request(text.encode())
        assert caught.value.code is Code.INVALID_ARGUMENT

    def test_beyond_float32_lies_infinity(self):
        _, message = parsed({"examples": [{"f": [1e39, -1e39]}]})
        assert features(message.example_list.examples[0])["f"] == [math.inf, -math.inf]


class TestWrite:
    def test_shortest_decimals(self):
        third = float(np.float32(1 / 3))
        assert examples_json.write_values([0.5, third]) == b'{"results":[0.5,0.33333334]}'
        classes = [[("a", third), ("b", 1.0)]]
        assert examples_json.write_classes(classes) == b'{"results":[[["a",0.33333334],["b",1.0]]]}'

    def test_numbers_that_are_none(self):
        text = examples_json.write_values([math.nan, math.inf])
        assert text == b'{"results": [NaN, Infinity]}'
        assert b"-Infinity" in examples_json.write_classes([[("a", -math.inf)]])


class TestExamples:
    def test_an_example_with_its_context(self):
        from tensorflow.core.example import example_pb2

        _, message = parsed(
            {"context": {"c": [1, 2], "both": 3}, "examples": [{"x": 2.0}, {"both": 4}]}
        )
        wholes = map(example_pb2.Example.FromString, classification.serialized_examples(message))
        assert [features(whole) for whole in wholes] == [
            {"c": [1, 2], "both": [3], "x": [2.0]},
            {"c": [1, 2], "both": [4]},  # its own value, not both
        ]


class TestOutputs:
    SIGNATURE = Signature(
        {"inputs": TensorSpec("string", (None,))},
        {"classes": TensorSpec("string", None), "scores": TensorSpec("float", None)},
    )

    def test_labels_that_are_no_text(self):
        names = np.array([[b"\xff"]], np.object_)
        outputs = {"classes": names, "scores": np.array([[1.0]], np.float32)}
        assert classification.classes_of(outputs, self.SIGNATURE, 1) == [[("\ufffd", 1.0)]]

    @pytest.mark.parametrize(
        ("name", "dtype", "message"),
        [
            ("scores", "double", "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE"),
            ("classes", "int64", "Expected classes Tensor of DT_STRING. Got: DT_INT64"),
        ],
    )
    def test_classes_of_other_types(self, name, dtype, message):
        signature = Signature({}, {name: TensorSpec(dtype, None)})
        with pytest.raises(ServingError, match=message):
            classification.classes_of({name: np.zeros((1, 1))}, signature, 1)

    def test_values_of_another_type(self):
        signature = Signature({}, {"outputs": TensorSpec("int32", None)})
        with pytest.raises(
            ServingError, match="Expected output Tensor of DT_FLOAT.  Got: DT_INT32"
        ):
            classification.values_of({"outputs": np.zeros(1)}, signature, 1)

    def test_three_outputs_are_too_many_to_classify(self):
        signature = Signature(
            {"inputs": TensorSpec("string", None)},
            {name: TensorSpec("float", None) for name in ("classes", "scores", "more")},
        )
        with pytest.raises(ServingError, match="Expected one or two output Tensors, found 3"):
            classification.check_signature("s", signature, CLASSIFY)
        with pytest.raises(ServingError, match="Expected one output Tensor"):
            classification.check_signature("s", signature, REGRESS)
