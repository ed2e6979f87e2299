"""The classify and regress methods: serialized examples in, classes with scores or values out.

A signature for one of them takes one input, `inputs`, serialized `tf.Example`s [B]; for classify it
gives `classes` (string) and `scores` (float), [B, C] each, or one of the two, and for regress
`outputs` (float), [B] or [B, 1]. Which method it was saved for does not count: TensorFlow 2 saves
all signatures for predict. Rules and messages follow tensorflow/serving,
`servables/tensorflow/classifier.cc` and `regressor.cc`. Not for JSON (`examples_json.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.errors import Code, ServingError, invalid_argument
from serving.servable import Servable
from serving.signatures import DEFAULT, Signature, sizes

# Of each example the classes and their scores.
Classes = list[list[tuple[str, float]]]

_INPUTS, _CLASSES, _SCORES, _OUTPUTS = "inputs", "classes", "scores", "outputs"


@dataclasses.dataclass(frozen=True)
class Method:
    """One of the two methods: its name in requests, and what messages call it."""

    name: str
    noun: str


CLASSIFY = Method("tensorflow/serving/classify", "classification")
REGRESS = Method("tensorflow/serving/regress", "regression")
METHODS = {method.name: method for method in (CLASSIFY, REGRESS)}


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
        ServingError: INVALID_ARGUMENT, if there is no such signature, it is not fit for the method,
            or there are no examples.
    """
    name = signature_name or DEFAULT
    if name not in servable.signature_defs:
        raise invalid_argument(f"No signature was found with the name: {name}")
    check_signature(name, servable.signature(name), method)
    examples = serialized_examples(message)
    if not examples:
        raise invalid_argument("Input is empty.")
    inputs = np.empty(len(examples), np.object_)
    inputs[:] = examples
    return name, {_INPUTS: inputs}


def check_signature(name: str, signature: Signature, method: Method) -> None:
    """Raises ServingError (INVALID_ARGUMENT) where a signature is not fit for a method."""
    inputs, outputs = signature.inputs, signature.outputs
    if len(inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if method is REGRESS and len(outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    if method is CLASSIFY and len(outputs) not in (1, 2):
        raise invalid_argument(f"Expected one or two output Tensors, found {len(outputs)}")
    if _INPUTS not in inputs:
        raise invalid_argument(f"No {method.noun} inputs found in SignatureDef: {name}")
    if inputs[_INPUTS].dtype != "string":
        raise invalid_argument(f"{_INPUTS} is of type {inputs[_INPUTS].dtype}; expected string")
    if method is REGRESS and _OUTPUTS not in outputs:
        raise invalid_argument(f"No {method.noun} outputs found in SignatureDef: {name}")
    if method is CLASSIFY and not {_CLASSES, _SCORES} & set(outputs):
        raise invalid_argument(
            'Expected classification signature outputs to contain at least one of "classes" or '
            f'"scores". Signature was: {name}'
        )


def check_tasks(servable: Servable, tasks: Sequence[Any]) -> None:
    """Checks what a `MultiInferenceRequest` asks for, before any of it is run.

    Args:
        servable: The version of the model that the first task names.
        tasks: The request's tasks.

    Raises:
        ServingError: INVALID_ARGUMENT for tasks of different models, one signature asked twice or a
            signature that is missing or not fit; UNIMPLEMENTED for another method.
    """
    seen = set()
    for task in tasks:
        if not task.model_spec.name:
            raise invalid_argument("Found ModelSpec with an empty model name.")
        if task.model_spec.name != servable.name:
            raise invalid_argument(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        name = task.model_spec.signature_name or DEFAULT
        if name in seen:
            raise invalid_argument(f"Duplicate evaluation of signature: {name}")
        seen.add(name)
        if name not in servable.signature_defs:
            raise invalid_argument(f"Requested signature not found in model graph: {name}")
        if task.method_name not in METHODS:
            raise ServingError(
                Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}"
            )
        check_signature(name, servable.signature(name), METHODS[task.method_name])


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


def classes_of(outputs: Mapping[str, np.ndarray], signature: Signature, count: int) -> Classes:
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
                f"Expected Tensor shape: [batch_size num_classes] but got {sizes(array.shape)}"
            )
        if signature.outputs[name].dtype != dtype:
            raise invalid_argument(
                f"Expected {name} Tensor of {_enum_name(dtype)}. "
                f"Got: {_enum_name(signature.outputs[name].dtype)}"
            )
        if len(array) != count:
            raise invalid_argument(
                f"Expected {name} output batch size of {count}. Got: {len(array)}"
            )
        found[name] = array
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
    array = outputs[_OUTPUTS]
    if array.ndim != 1 and not (array.ndim == 2 and array.shape[1] == 1):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{sizes(array.shape)}"
        )
    if signature.outputs[_OUTPUTS].dtype != "float":
        got = _enum_name(signature.outputs[_OUTPUTS].dtype)
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {got}")
    if len(array) != count:
        raise invalid_argument(
            f"Input batch size did not match output batch size: {count} vs. {len(array)}"
        )
    return [float(value) for value in array.reshape(-1)]


def fill_classes(result: Any, classes: Classes) -> None:
    """Puts classes into a `ClassificationResult` message."""
    for row in classes:
        classifications = result.classifications.add()
        for label, score in row:
            classifications.classes.add(label=label, score=score)


def fill_values(result: Any, values: Sequence[float]) -> None:
    """Puts values into a `RegressionResult` message."""
    for value in values:
        result.regressions.add(value=value)


def _enum_name(dtype: str) -> str:
    return f"DT_{dtype.upper()}"
