"""JSON values and tensors, against NumPy and against each other."""

import json

import hypothesis.extra.numpy as arrays_of
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving import json_tensors
from serving.errors import Code, ServingError

NUMPY_DTYPES = {
    "float": np.float32,
    "double": np.float64,
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "int32": np.int32,
    "uint32": np.uint32,
    "int64": np.int64,
    "uint64": np.uint64,
    "bool": np.bool_,
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(st.sampled_from(["b64", "x"]), values, max_size=2)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@settings(max_examples=30)
@given(data=st.data())
def test_any_tensor_survives_the_way_there_and_back(dtype, data):
    shapes = arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3)
    array = data.draw(arrays_of.arrays(NUMPY_DTYPES[dtype], shapes))
    text = json.dumps(json_tensors.to_json(array, dtype, binary=False))
    back = json_tensors.to_array(json.loads(text), dtype)
    assert back is not None and back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@given(arrays_of.array_shapes(min_dims=0, max_dims=2, max_side=3), st.data())
def test_any_binary_strings_survive_the_way_there_and_back(shape, data):
    array = np.empty(shape, np.object_)
    for index in np.ndindex(shape):
        array[index] = data.draw(st.binary(max_size=4))
    value = json_tensors.to_json(array, "string", binary=True)
    back = json_tensors.to_array(value, "string")
    assert back is not None and back.shape == shape and back.tolist() == array.tolist()


@given(json_values, st.sampled_from([*NUMPY_DTYPES, "string", "half"]))
def test_a_value_is_converted_or_there_is_a_reason(value, dtype):
    array = json_tensors.to_array(value, dtype)
    if array is None:
        with pytest.raises(ServingError):
            json_tensors.validate(value, dtype)
    else:
        shape, size = json_tensors.validate(value, dtype)
        assert (array.shape, array.size) == (shape, size)


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        ([1, "x"], "int32", 'JSON Value: "x" Type: String is not of expected type: int32'),
        (None, "float", "JSON Value: null Type: Null is not of expected type: float"),
        (False, "float", "JSON Value: false Type: False is not of expected type: float"),
        ({"a": 1}, "bool", 'JSON Value: {"a": 1} Type: Object is not of expected type: bool'),
        (1, "bool", "JSON Value: 1 Type: Number is not of expected type: bool"),
        ([1.0], "int64", "JSON Value: 1.0 Type: Number is not of expected type: int64"),
        (256, "uint8", "JSON Value: 256 Type: Number is not of expected type: uint8"),
        (-1, "uint32", "JSON Value: -1 Type: Number is not of expected type: uint32"),
        ([10**400], "double", "Type: Number is not of expected type: double"),
        ([[1], 2], "int32", "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. "
         "Expected at level: 2"),
        ([1, [2]], "int32", "Encountered list at unexpected level: 1 expected < 1"),
        ([[1], [2, 3]], "int32", "Encountered list at unexpected size: 2 at level: 1 "
         "expected size: 1"),
        ({"b64": "?"}, "string", "Unable to base64 decode"),
        ({"b64": "é"}, "string", "Unable to base64 decode"),
        ({"b64": "eA==", "c": 1}, "string", "not formatted correctly for base64 data"),
    ],
)  # fmt: skip
def test_the_first_fault_is_named(value, dtype, message):
    assert json_tensors.to_array(value, dtype) is None
    with pytest.raises(ServingError) as caught:
        json_tensors.validate(value, dtype)
    assert message in caught.value.message
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("text", ["aGVsbG8=", "aGVsbG8", " aGVs\nbG8= "])
def test_base64_may_lack_padding_and_hold_white_space(text):
    array = json_tensors.to_array({"b64": text}, "string")
    assert array is not None and array.item() == b"hello"


def test_float32_overflows_to_infinity():
    array = json_tensors.to_array([1e308, -1e308, 1e-308], "float")
    assert array is not None and array.tolist() == [float("inf"), -float("inf"), 0.0]


def test_text_that_is_not_utf8_stays_json():
    value = json_tensors.to_json(np.array([b"a\xff"], np.object_), "string", binary=False)
    assert value == ["a\ufffd"]


def test_messages_quote_only_the_beginning_of_large_values():
    quoted = json_tensors.quote({"instances": ["x" * 10_000_000, [0] * 10_000]})
    assert quoted.startswith('{"instances": ["xxx') and len(quoted) == 256
