"""Requests of the gRPC services, and what is expected of their answers."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

TIMEOUT = 30


@contextlib.contextmanager
def refused(code: str, message: str | re.Pattern[str]) -> Iterator[None]:
    """Expects an error, with this message or one in which the pattern is found."""
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert caught.value.code() is grpc.StatusCode[code], caught.value.details()
    if isinstance(message, re.Pattern):
        assert message.search(caught.value.details()), caught.value.details()
    else:
        assert caught.value.details() == message


def fill(
    spec: Any, name: str, signature: str = "", version: int | None = None, label: str = ""
) -> None:
    """Fills in a `ModelSpec`."""
    spec.name, spec.signature_name = name, signature
    if version is not None:
        spec.version.value = version
    if label:
        spec.version_label = label


def predict_request(
    name: str, signature: str = "", /, *, version: Any = None, label: Any = "", **inputs: Any
) -> predict_pb2.PredictRequest:
    """A `PredictRequest` with these inputs."""
    request = predict_pb2.PredictRequest()
    fill(request.model_spec, name, signature, version, label)
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return request


def values(response: predict_pb2.PredictResponse) -> dict[str, Any]:
    """The outputs of an answer, as lists."""
    return {name: tf.make_ndarray(tensor).tolist() for name, tensor in response.outputs.items()}


def add_example(message: Any, **features: float) -> None:
    """Fills an `Example`, or a new one of a list, with a number for each feature."""
    example = message.add() if hasattr(message, "add") else message
    for name, value in features.items():
        example.features.feature[name].float_list.value.append(value)


def examples_request(
    kind: Any, name: str, signature: str = "", xs: Sequence[float] = (), **spec: Any
) -> Any:
    """A request of this kind, with an example for each value of the feature x."""
    request = kind()
    fill(request.model_spec, name, signature, **spec)
    for x in xs:
        add_example(request.input.example_list.examples, x=x)
    return request
