"""Bodies of `:predict` requests and responses, in TensorFlow Serving's row and column format.

Row format lists instances, `{"instances": [...]}` answered by `{"predictions": [...]}`; column
format gives whole tensors, `{"inputs": ...}` answered by `{"outputs": ...}`. Not for HTTP, and
single tensors are in `json_tensors.py`. Rules and messages follow tensorflow/serving,
`tensorflow_serving/util/json_tensor.cc`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import orjson

from serving import json_tensors, signatures
from serving.errors import ServingError, invalid_argument
from serving.signatures import Signature, TensorSpec

_LONGEST_INTEGER = 20  # digits of the largest 64-bit integers, or a sign and one less
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

_SIGNATURE, _INSTANCES, _INPUTS = "signature_name", "instances", "inputs"


@dataclasses.dataclass(frozen=True)
class PredictRequest:
    """A parsed request.

    Attributes:
        signature_name: The signature to run.
        inputs: Its inputs by name.
        row_format: How the request was written, and the response has to be.
    """

    signature_name: str
    inputs: Mapping[str, np.ndarray]
    row_format: bool


def parse_request(body: bytes, find_signature: Callable[[str], Signature]) -> PredictRequest:
    """Reads a request.

    Args:
        body: JSON in UTF-8; NaN, Infinity and -Infinity are numbers.
        find_signature: Gives the signature of a name, or raises. It is asked after the JSON was
            parsed and before any tensor is read.

    Raises:
        ServingError: INVALID_ARGUMENT for whatever is wrong with the body, UNIMPLEMENTED for an
            input of a dtype without a JSON form; or what `find_signature` raised.
    """
    document = parse_object(body)
    name = signature_name(document)
    signature = find_signature(name or signatures.DEFAULT)
    if not signature.inputs:
        raise invalid_argument(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    rows = _INSTANCES in document
    if rows and _INPUTS in document:
        raise _format_error(
            document,
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        )
    if rows:
        instances = document[_INSTANCES]
        if not isinstance(instances, list):
            raise _format_error(document, "Expecting 'instances' to be an list/array")
        if not instances:
            raise _format_error(document, "No values in 'instances' array")
        inputs = _read_rows(instances, signature.inputs)
    elif _INPUTS in document:
        inputs = _read_columns(document[_INPUTS], signature.inputs)
    else:
        raise invalid_argument("Missing 'inputs' or 'instances' key")
    return PredictRequest(name or signatures.DEFAULT, inputs, rows)


def write_response(
    outputs: Mapping[str, np.ndarray], specs: Mapping[str, TensorSpec], row_format: bool
) -> bytes:
    """Writes the response.

    Args:
        outputs: By name, one for each of `specs`. A single one is written without its name.
        specs: The signature's outputs.
        row_format: As in the request. Every output then needs the same first dimension.

    Raises:
        ServingError: INVALID_ARGUMENT, if the outputs cannot be written in that format.
    """
    if not specs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    if row_format:
        _check_batch_sizes(outputs)
    columns = {
        name: json_tensors.to_json(
            outputs[name], spec.dtype, binary=name.endswith(json_tensors.BINARY_SUFFIX)
        )
        for name, spec in specs.items()
    }
    document: dict[str, Any]
    if len(columns) == 1:
        document = {"predictions" if row_format else "outputs": next(iter(columns.values()))}
    elif row_format:
        rows = zip(*columns.values(), strict=True)
        document = {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}
    else:
        document = {"outputs": columns}
    floats = [array for array in outputs.values() if array.dtype.kind == "f"]
    return dump(document, finite=all(np.isfinite(array).all() for array in floats))


def dump(document: dict[str, Any], *, finite: bool) -> bytes:
    """JSON text.

    Args:
        document: What is written.
        finite: Whether it is free of NaN and infinities, which orjson would turn into null.
    """
    if finite:
        return orjson.dumps(document)
    return json.dumps(document, ensure_ascii=False).encode()


def signature_name(document: dict[str, Any]) -> str:
    """The signature that a request's body names; empty if it names none.

    Raises:
        ServingError: INVALID_ARGUMENT, if it is not a string.
    """
    name = document.get(_SIGNATURE, "")
    if not isinstance(name, str):
        raise _format_error(
            document, "not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def parse_object(body: bytes) -> dict[str, Any]:
    """Reads a request's body.

    Raises:
        ServingError: INVALID_ARGUMENT, if it is not a JSON object in UTF-8.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        # Slower, and more tolerant where TensorFlow Serving is; it also knows what to complain of.
        document = _parse_slowly(body)
    if not isinstance(document, dict):
        raise _format_error(document, "Is not object")
    return document


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is too large")
    return value


def _integer(text: str) -> int | float:
    """As orjson reads it: what no integer type holds is a float."""
    if len(text) > _LONGEST_INTEGER:
        return _finite(text)
    value = int(text)
    return value if -(2**63) <= value < 2**64 else float(value)


_DECODER = json.JSONDecoder(parse_float=_finite, parse_int=_integer)


def _parse_slowly(body: bytes) -> Any:
    try:
        text = body.decode("utf-8-sig")
        start = len(text) - len(text.lstrip(" \t\r\n"))
        if start == len(text):
            raise invalid_argument("JSON Parse error: The document is empty")
        # What follows the first value is ignored, as TensorFlow Serving does.
        document, end = _DECODER.raw_decode(text, start)
        if _SURROGATE.search(text, start, end):
            # Half a character, unless it is followed by the other half.
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise invalid_argument(
            "JSON Parse error: The surrogate pair in string is invalid."
        ) from None
    except UnicodeDecodeError as error:
        raise invalid_argument(
            f"JSON Parse error: Invalid encoding in string. at offset: {error.start}"
        ) from None
    except json.JSONDecodeError as error:
        reason = "Invalid value." if error.msg == "Expecting value" else f"{error.msg}."
        raise invalid_argument(f"JSON Parse error: {reason} at offset: {error.pos}") from None
    except RecursionError:
        raise invalid_argument("JSON Parse error: The document is nested too deeply") from None
    except ValueError:
        raise invalid_argument("JSON Parse error: Number too big to be stored in double.") from None
    return document


def _read_rows(instances: list[Any], specs: Mapping[str, TensorSpec]) -> dict[str, np.ndarray]:
    objects = _is_named(instances[0])
    if not objects and len(specs) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    found: dict[str, np.ndarray | None]
    if objects:
        if all(isinstance(row, dict) and row.keys() == specs.keys() for row in instances):
            columns = {name: [row[name] for row in instances] for name in specs}
            found = {n: json_tensors.to_array(columns[n], s.dtype) for n, s in specs.items()}
        else:
            found = dict.fromkeys(specs)
    else:
        ((name, spec),) = specs.items()
        found = {name: json_tensors.to_array(instances, spec.dtype)}
    arrays = {name: array for name, array in found.items() if array is not None}
    if len(arrays) < len(specs):
        _explain_rows(instances, specs, objects)
        raise AssertionError("a row that breaks a rule was not found")
    return arrays


def _explain_rows(instances: list[Any], specs: Mapping[str, TensorSpec], objects: bool) -> None:
    """Goes through the rows one by one and raises at the first that breaks a rule."""
    first: dict[str, tuple[tuple[int, ...], int]] = {}
    for number, row in enumerate(instances):
        if objects != _is_named(row):
            raise invalid_argument(
                f"Expecting object but got list at item {number} of input list"
                if objects
                else f"Expecting value/list but got object at item {number} of input list"
            )
        for name, value in row.items() if objects else [(next(iter(specs)), row)]:
            key = f" key: {name}" if objects else ""
            try:
                _explain_value(name, value, specs, first)
            except ServingError as error:
                raise invalid_argument(
                    f"Failed to process element: {number}{key} of 'instances' list. "
                    f"Error: {error.status}"
                ) from None
        if objects and row.keys() != specs.keys():
            raise invalid_argument(
                f"Failed to process element: {number} of 'instances' list. JSON object: "
                f"{json_tensors.quote(row)} keys must be equal to: {','.join(sorted(specs))}"
            )


def _explain_value(
    name: str,
    value: Any,
    specs: Mapping[str, TensorSpec],
    first: dict[str, tuple[tuple[int, ...], int]],
) -> None:
    """Checks one row's value of one input, also against the first row's (kept in `first`)."""
    if name not in specs:
        raise invalid_argument(f"JSON object: does not have named input: {name}")
    shape, size = json_tensors.validate(value, specs[name].dtype)
    wanted_shape, wanted_size = first.setdefault(name, (shape, size))
    if size != wanted_size:
        raise invalid_argument(f"Expecting tensor size: {wanted_size} but got: {size}")
    if shape != wanted_shape:
        wanted, got = (",".join(map(str, sizes)) for sizes in (wanted_shape, shape))
        raise invalid_argument(f"Expecting shape [{wanted}] but got: [{got}]")


def _read_columns(value: Any, specs: Mapping[str, TensorSpec]) -> dict[str, np.ndarray]:
    if not _is_named(value):
        if len(specs) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        value = {next(iter(specs)): value}
    arrays = {}
    for name, spec in specs.items():
        if name not in value:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
        array = json_tensors.to_array(value[name], spec.dtype)
        if array is None:
            json_tensors.validate(value[name], spec.dtype)
            raise AssertionError("a value that breaks a rule was not found")
        arrays[name] = array
    return arrays


def _check_batch_sizes(outputs: Mapping[str, np.ndarray]) -> None:
    batch_size: int | None = None
    for name, array in sorted(outputs.items()):
        if array.ndim == 0:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if batch_size not in (None, len(array)):
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} "
                f"expecting: {batch_size}"
            )
        batch_size = len(array)


def _is_named(value: Any) -> bool:
    """Whether a value is an object of named tensors, and not a binary string."""
    return isinstance(value, dict) and not json_tensors.is_base64_object(value)


def _format_error(document: Any, problem: str) -> ServingError:
    return invalid_argument(f"JSON Value: {json_tensors.quote(document)} {problem}")
