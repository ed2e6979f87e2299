"""The classify and regress methods: serialized examples in, classes with scores or values out.

A signature that was saved for one of them takes one input, `inputs`, serialized `tf.Example`s [B];
for classify it gives `classes` (string) and `scores` (float), [B, C] each, or one of the two, and
for regress `outputs` (float), [B] or [B, 1]. Rules and messages follow tensorflow/serving,
`servables/tensorflow/classifier.cc` and `regressor.cc`. Not for JSON (`examples_json.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.errors import invalid_argument
from serving.servable import Servable
from serving.signatures import DEFAULT, Signature

_INPUTS, _CLASSES, _SCORES, _OUTPUTS = "inputs", "classes", "scores", "outputs"


@dataclasses.dataclass(frozen=True)
class Method:
    """One of the two methods: its name in signatures, and what messages call it."""

    name: str
    noun: str


CLASSIFY = Method("tensorflow/serving/classify", "classification")
REGRESS = Method("tensorflow/serving/regress", "regression")


def inputs_of(
    servable: Servable, signature_name: str, message: Any, method: Method
) -> tuple[str, dict[str, np.ndarray]]:
    """What to run for a request.

    Args:
        servable: The model's version.
        signature_name: As requested; empty for the default.
        message: The request's `Input`.
        method: That of the request.

    Returns:
        The signature's name and its inputs.

    Raises:
        ServingError: INVALID_ARGUMENT, if there is no such signature, it is for another method, or
            there are no examples.
    """
    name = signature_name or DEFAULT
    definition = servable.signature_defs.get(name)
    if definition is None:
        raise invalid_argument(f"No signature was found with the name: {name}")
    if definition.method_name != method.name:
        raise invalid_argument(
            f"Expected {method.noun} signature method_name to be {method.name}. "
            f"Was: {definition.method_name}"
        )
    signature = servable.signature(name)
    if set(signature.inputs) != {_INPUTS}:
        raise invalid_argument(f"No {method.noun} inputs found in SignatureDef {name}")
    examples = serialized_examples(message)
    if not examples:
        raise invalid_argument("Input is empty.")
    inputs = np.empty(len(examples), np.object_)
    inputs[:] = examples
    return name, {_INPUTS: inputs}


def serialized_examples(message: Any) -> list[bytes]:
    """The examples of an `Input` message, each with the features of the context it lacks."""
    kind = message.WhichOneof("kind")
    if kind != "example_list_with_context":
        return [example.SerializeToString() for example in message.example_list.examples]
    context = message.example_list_with_context.context
    examples = []
    for example in message.example_list_with_context.examples:
        whole = type(example)()
        whole.CopyFrom(context)
        for name, feature in example.features.feature.items():
            whole.features.feature[name].CopyFrom(feature)
        examples.append(whole.SerializeToString())
    return examples


def classes_of(
    outputs: Mapping[str, np.ndarray], signature: Signature, count: int
) -> list[list[tuple[str, float]]]:
    """Classes and scores of each example; class "" and score 0 where the model gives none.

    Args:
        outputs: Of the signature.
        signature: Its specification.
        count: How many examples there were.

    Raises:
        ServingError: INVALID_ARGUMENT for outputs that are not those of a classifier.
    """
    found = {}
    for name, dtype in ((_CLASSES, "string"), (_SCORES, "float")):
        if name not in outputs:
            continue
        array = outputs[name]
        if array.ndim != 2:
            raise invalid_argument(
                f"Expected Tensor shape: [batch_size num_classes] but got {list(array.shape)}"
            )
        if signature.outputs[name].dtype != dtype:
            raise invalid_argument(
                f"Expected {name} Tensor of {dtype}. Got: {signature.outputs[name].dtype}"
            )
        if len(array) != count:
            raise invalid_argument(
                f"Expected {name} output batch size of {count}. Got: {len(array)}"
            )
        found[name] = array
    if not found:
        raise invalid_argument(
            'Expected classification signature outputs to contain at least one of "classes" or '
            f'"scores". They are: {",".join(signature.outputs)}'
        )
    widths = [array.shape[1] for array in found.values()]
    if len(set(widths)) > 1:
        raise invalid_argument(
            f"Tensors class and score should match in dim_size(1). Got {widths[0]} vs. {widths[1]}"
        )
    names = found.get(_CLASSES, np.full((count, widths[0]), b"", np.object_))
    scores = found.get(_SCORES, np.zeros((count, widths[0]), np.float32))
    return [
        [
            (label.decode("utf-8", errors="replace"), float(score))
            for label, score in zip(row, values, strict=True)
        ]
        for row, values in zip(names, scores, strict=True)
    ]


def values_of(
    outputs: Mapping[str, np.ndarray], signature: Signature, count: int
) -> Sequence[float]:
    """The value of each example.

    Raises:
        ServingError: INVALID_ARGUMENT for outputs that are not those of a regressor.
    """
    if set(outputs) != {_OUTPUTS}:
        raise invalid_argument("No regression outputs found in SignatureDef")
    array = outputs[_OUTPUTS]
    if array.ndim != 1 and not (array.ndim == 2 and array.shape[1] == 1):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{list(array.shape)}"
        )
    if signature.outputs[_OUTPUTS].dtype != "float":
        dtype = signature.outputs[_OUTPUTS].dtype
        raise invalid_argument(f"Expected output Tensor of float.  Got: {dtype}")
    if len(array) != count:
        raise invalid_argument(
            f"Input batch size did not match output batch size: {count} vs. {len(array)}"
        )
    return [float(value) for value in array.reshape(-1)]
