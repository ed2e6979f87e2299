"""TensorFlow Serving's rules for a tensor as JSON, both ways; NumPy only.

Not for requests and responses, which hold several tensors (`predict_json.py`). The rules and the
wording of the errors follow tensorflow/serving, `tensorflow_serving/util/json_tensor.cc`.

Stricter than there: an integer that does not fit its type is refused, not wrapped around.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from serving.errors import Code, ServingError, invalid_argument

BASE64_KEY = "b64"
# Strings of such outputs are binary: there is nothing else in a signature that could say so.
BINARY_SUFFIX = "_bytes"

_INTEGERS: dict[str, Any] = {
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "int32": np.int32,
    "uint32": np.uint32,
    "int64": np.int64,
    "uint64": np.uint64,
}
_FLOATS = {"float": np.float32, "double": np.float64}
_DTYPES: dict[str, Any] = {**_INTEGERS, **_FLOATS, "bool": np.bool_, "string": np.object_}
_LONGEST_QUOTE = 256
_MAX_RANK = 32  # NumPy's limit in its first major version


def to_array(value: Any, dtype: str) -> np.ndarray | None:
    """Converts a JSON value, nested lists or a scalar, to a tensor.

    The types of all leaves are looked at together, not one by one in Python: lists of a hundred
    thousand numbers are usual.

    Args:
        value: As the `json` module gives it.
        dtype: TensorFlow's name of the wanted type.

    Returns:
        The tensor; strings as an object array of bytes. None where the value breaks a rule:
        `validate` then tells which.
    """
    shape: list[int] = []
    leaves = [value]
    while leaves and isinstance(leaves[0], list):
        if set(map(type, leaves)) != {list}:
            return None
        sizes = set(map(len, leaves))
        if len(sizes) > 1:
            return None
        shape.append(sizes.pop())
        leaves = list(itertools.chain.from_iterable(leaves))
    if len(shape) > _MAX_RANK:
        return None
    flat = _leaves_to_array(leaves, dtype)
    return None if flat is None else flat.reshape(shape)


def validate(value: Any, dtype: str) -> tuple[tuple[int, ...], int]:
    """Finds what is wrong with a JSON value that should become a tensor.

    Args:
        value: As the `json` module gives it.
        dtype: TensorFlow's name of the wanted type.

    Returns:
        (shape, number of leaves), if nothing is wrong.

    Raises:
        ServingError: INVALID_ARGUMENT for the first fault in reading order; UNIMPLEMENTED for a
            dtype that has no JSON form.
    """
    shape = []
    first = value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    if dtype not in _DTYPES:
        raise ServingError(
            Code.UNIMPLEMENTED, f"Conversion of JSON Value: {quote(first)} to type: {dtype}"
        )
    if len(shape) > _MAX_RANK:
        raise invalid_argument(f"Encountered lists nested deeper than {_MAX_RANK}")
    return tuple(shape), _validate_level(value, 0, tuple(shape), dtype)


def to_json(array: np.ndarray, dtype: str, *, binary: bool) -> Any:
    """Converts a tensor to nested lists, or to a scalar for rank 0.

    Args:
        array: Any shape; strings as an object array of bytes.
        dtype: TensorFlow's name of its type.
        binary: Strings become `{"b64": …}`. Otherwise bytes that are not UTF-8 become U+FFFD.

    Returns:
        What `json.dumps` can write. float32 values are given as the shortest decimals that read
        back as the same float32: 0.2, not 0.20000000298023224.

    Raises:
        ServingError: INVALID_ARGUMENT for a dtype that has no JSON form.
    """
    if dtype == "string":
        leaves = [_string_to_json(text, binary) for text in array.reshape(-1)]
        boxed = np.empty(len(leaves), np.object_)
        boxed[:] = leaves
        return boxed.reshape(array.shape).tolist()
    if dtype not in _DTYPES:
        raise invalid_argument(f"Failed to write JSON value for tensor type: {dtype}")
    if dtype == "float":
        array = array.astype(np.str_).astype(np.float64)
    return array.tolist()


def is_base64_object(value: Any) -> bool:
    """Whether a value is `{"b64": "…"}`, with no other key."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(BASE64_KEY), str)


def quote(value: Any) -> str:
    """The beginning of a value's JSON text, for messages."""
    text = ""
    chunks: Iterator[str] = json.JSONEncoder(ensure_ascii=False).iterencode(value)
    while len(text) < _LONGEST_QUOTE and (chunk := next(chunks, None)) is not None:
        text += chunk[:_LONGEST_QUOTE]
    return text[:_LONGEST_QUOTE]


def _leaves_to_array(leaves: list[Any], dtype: str) -> np.ndarray | None:
    kinds = set(map(type, leaves))
    if dtype in _FLOATS and kinds <= {int, float}:
        try:
            # Beyond float32's range lies infinity, as in C.
            with np.errstate(over="ignore"):
                return np.array(leaves, np.float64).astype(_FLOATS[dtype])
        except OverflowError:
            return None
    if dtype in _INTEGERS and kinds <= {int}:
        bounds = np.iinfo(_INTEGERS[dtype])
        if leaves and not bounds.min <= min(leaves) <= max(leaves) <= bounds.max:
            return None
        return np.array(leaves, _INTEGERS[dtype])
    if dtype == "bool" and kinds <= {bool}:
        return np.array(leaves, np.bool_)
    if dtype == "string" and kinds <= {str, dict}:
        array = np.empty(len(leaves), np.object_)
        try:
            array[:] = [to_bytes(leaf) for leaf in leaves]
        except ServingError:
            return None
        return array
    return None


def _validate_level(value: Any, level: int, shape: tuple[int, ...], dtype: str) -> int:
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid_argument(
                f"JSON Value: {quote(value)} found at incorrect level: {level + 1} "
                f"in the JSON DOM. Expected at level: {len(shape)}"
            )
        _validate_leaf(value, dtype)
        return 1
    if level >= len(shape):
        raise invalid_argument(
            f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        )
    if len(value) != shape[level]:
        raise invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    return sum(_validate_level(item, level + 1, shape, dtype) for item in value)


def _validate_leaf(value: Any, dtype: str) -> None:
    if dtype == "string" and isinstance(value, (str, dict)):
        to_bytes(value)
    elif isinstance(value, dict) or _leaves_to_array([value], dtype) is None:
        raise invalid_argument(
            f"JSON Value: {quote(value)} Type: {type_name(value)} is not of expected type: {dtype}"
        )


def to_bytes(value: str | dict[str, Any]) -> bytes:
    """A string's bytes: UTF-8 text, or decoded from base64.

    Raises:
        ServingError: INVALID_ARGUMENT for what is neither.
    """
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise invalid_argument(
                "JSON Parse error: The surrogate pair in string is invalid."
            ) from None
    if not is_base64_object(value):
        raise invalid_argument(
            f"JSON Value: {quote(value)} not formatted correctly for base64 data"
        )
    text = value[BASE64_KEY]
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        pass
    # White space and missing padding are tolerated, other characters are not.
    text = "".join(text.split())
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise invalid_argument("Unable to base64 decode") from None


def _string_to_json(text: bytes, binary: bool) -> Any:
    if binary:
        return {BASE64_KEY: base64.b64encode(text).decode("ascii")}
    return text.decode("utf-8", errors="replace")


def type_name(value: Any) -> str:
    """What messages call the type of a JSON value."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, (int, float)):
        return "Number"
    if isinstance(value, str):
        return "String"
    return "Array" if isinstance(value, list) else "Object"
