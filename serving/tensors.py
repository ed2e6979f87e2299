"""Tensors of `PredictRequest` and `PredictResponse` messages as arrays, both ways.

Not for tensors as JSON (`json_tensors.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.errors import invalid_argument
from serving.servable import Servable
from serving.signatures import Signature


def inputs_of(request: Any, signature: Signature) -> dict[str, np.ndarray]:
    """The inputs of a `PredictRequest`.

    Args:
        request: The message.
        signature: That which the request names.

    Raises:
        ServingError: INVALID_ARGUMENT for a tensor of another type than the signature's, or one
            that says something else about its size than it holds. Names and shapes are checked by
            whoever runs it.
    """
    import tensorflow as tf

    arrays = {}
    for name, proto in request.inputs.items():
        if name in signature.inputs:
            wanted = signature.inputs[name].dtype
            given = tf.dtypes.DType(proto.dtype).name if proto.dtype else "invalid"
            if tf.as_dtype(wanted).name != given:
                raise invalid_argument(f"input {name} is of type {given}; expected {wanted}")
        try:
            arrays[name] = tf.make_ndarray(proto)
        except (TypeError, ValueError) as error:
            message = f"Unable to parse tensor proto of input {name}: {error}"
            raise invalid_argument(message) from None
    return arrays


def fill_outputs(
    response: Any, outputs: Mapping[str, np.ndarray], output_filter: Any, signature: Signature
) -> None:
    """Puts outputs into a `PredictResponse`.

    Args:
        response: The message.
        outputs: By name.
        output_filter: Names of those wanted; empty for all.
        signature: Of which they are the outputs.
    """
    import tensorflow as tf

    for name in output_filter or signature.outputs:
        proto = tf.make_tensor_proto(outputs[name], tf.as_dtype(signature.outputs[name].dtype))
        response.outputs[name].CopyFrom(proto)


def fill_spec(message: Any, servable: Servable, signature_name: str) -> None:
    """Says in a `ModelSpec` message which version and signature answered."""
    message.name, message.signature_name = servable.name, signature_name
    message.version.value = servable.version


def check_filter(output_filter: Any, signature: Signature) -> None:
    """Raises ServingError (INVALID_ARGUMENT) for an output that there is not, or named twice."""
    for number, name in enumerate(output_filter):
        if name not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {name} Outputs expected to be in the "
                f"set {{{','.join(signature.outputs)}}}."
            )
        if name in output_filter[:number]:
            raise invalid_argument(f"duplicate output tensor alias: {name}")
