"""Bodies of `:classify` and `:regress` requests and responses.

    {"signature_name": …, "context": {feature: value}, "examples": [{feature: value or list}]}

Rules and messages follow tensorflow/serving, `tensorflow_serving/util/json_tensor.cc`. Not for what
a signature makes of the examples (`classification.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from serving import json_tensors, predict_json
from serving.errors import ServingError, invalid_argument

_CONTEXT, _EXAMPLES = "context", "examples"
_LARGEST = 2**63


def parse_request(body: bytes) -> tuple[str, Any]:
    """Reads a request.

    Args:
        body: JSON in UTF-8.

    Returns:
        The signature's name, empty for the default, and an `Input` message.

    Raises:
        ServingError: INVALID_ARGUMENT for whatever is wrong with the body.
    """
    from tensorflow_serving.apis import input_pb2

    document = predict_json.parse_object(body)
    name = predict_json.signature_name(document)
    message = input_pb2.Input()
    if _CONTEXT in document:
        target = message.example_list_with_context
        _fill(document[_CONTEXT], target.context)
    else:
        target = message.example_list
    if _EXAMPLES not in document:
        raise _format_error(
            document, "When method is classify, key 'examples' is expected and was not found"
        )
    examples = document[_EXAMPLES]
    if not isinstance(examples, list):
        raise _format_error(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise _format_error(document, "'examples' value is an empty array")
    for example in examples:
        _fill(example, target.examples.add())
    return name, message


def write_classes(classes: list[list[tuple[str, float]]]) -> bytes:
    """The response of `:classify`: for each example a list of [class, score]."""
    rows = [[[name, _short(score)] for name, score in row] for row in classes]
    finite = all(math.isfinite(score) for row in classes for _, score in row)
    return predict_json.dump({"results": rows}, finite=finite)


def write_values(values: Sequence[float]) -> bytes:
    """The response of `:regress`: a number for each example."""
    finite = all(map(math.isfinite, values))
    return predict_json.dump({"results": [_short(value) for value in values]}, finite=finite)


def _short(value: float) -> float:
    """The float64 with the shortest decimals that read back as the same float32."""
    return float(str(np.float32(value)))


def _fill(value: Any, example: Any) -> None:
    if not isinstance(value, dict):
        raise invalid_argument(
            f"Example must be JSON object but got JSON {json_tensors.type_name(value)}"
        )
    for name, content in value.items():
        # Also a feature without values is one.
        feature = example.features.feature[name]
        for item in content if isinstance(content, list) else [content]:
            _add(item, name, feature)


def _add(value: Any, name: str, feature: Any) -> None:
    if isinstance(value, int):  # also true and false
        if value >= _LARGEST:
            raise invalid_argument(
                f"Feature: {name} has uint64_t element. Only int64_t is supported."
            )
        kind, value = "int64_list", int(value)
    elif isinstance(value, float):
        kind = "float_list"
    elif isinstance(value, str) or json_tensors.is_base64_object(value):
        kind, value = "bytes_list", json_tensors.to_bytes(value)
    else:
        raise invalid_argument(
            f"Feature: {name} has element with unexpected JSON type: "
            f"{json_tensors.type_name(value)}"
        )
    known = feature.WhichOneof("kind")
    if known not in (None, kind):
        wanted = known.removesuffix("_list")
        raise invalid_argument(
            f"Unexpected element type in feature: {name} expecting type: {wanted}"
        )
    getattr(feature, kind).value.append(value)


def _format_error(document: Any, problem: str) -> ServingError:
    return invalid_argument(f"JSON Value: {json_tensors.quote(document)} {problem}")
