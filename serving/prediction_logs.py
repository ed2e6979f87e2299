"""Requests and their responses as `PredictionLog` messages, TensorFlow Serving's form for logs.

Not for which are logged (`inference.py`) nor for writing them (`request_log.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving import classification, tensors
from serving.servable import Servable


def of_predict(
    servable: Servable,
    signature_name: str,
    inputs: Mapping[str, np.ndarray],
    outputs: Mapping[str, np.ndarray],
) -> Any:
    """A predict request."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    signature, predict = servable.signature(signature_name), log.predict_log
    for name, array in inputs.items():
        proto = tf.make_tensor_proto(array, tf.as_dtype(signature.inputs[name].dtype))
        predict.request.inputs[name].CopyFrom(proto)
    tensors.fill_outputs(predict.response, outputs, (), signature)
    return _told(log, predict, servable, signature_name)


def of_classify(
    servable: Servable, signature_name: str, message: Any, classes: classification.Classes
) -> Any:
    """A classify request; `message` is its `Input`."""
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    log.classify_log.request.input.CopyFrom(message)
    classification.fill_classes(log.classify_log.response.result, classes)
    return _told(log, log.classify_log, servable, signature_name)


def of_regress(
    servable: Servable, signature_name: str, message: Any, values: Sequence[float]
) -> Any:
    """A regress request; `message` is its `Input`."""
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    log.regress_log.request.input.CopyFrom(message)
    classification.fill_values(log.regress_log.response.result, values)
    return _told(log, log.regress_log, servable, signature_name)


def _told(log: Any, pair: Any, servable: Servable, signature_name: str) -> Any:
    """The log, in which everything says which version and signature answered."""
    for message in (log.log_metadata, pair.request, pair.response):
        tensors.fill_spec(message.model_spec, servable, signature_name)
    return log
