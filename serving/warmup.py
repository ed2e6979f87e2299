"""Runs the requests that a SavedModel brings along, before it answers any other.

TensorFlow Serving's convention: up to 1000 `PredictionLog` messages, as TFRecords in
`assets.extra/tf_serving_warmup_requests`. The first call of every signature and batch shape builds
what later ones reuse; with these records no client has to wait for that.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from serving import classification, signatures, tensors
from serving.classification import Method
from serving.errors import Code, ServingError
from serving.servable import Servable
from serving.server_metrics import ServerMetrics

_LOG = logging.getLogger(__name__)

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
MAX_RECORDS = 1000


def warm_up(servable: Servable, folder: str, metrics: ServerMetrics) -> int:
    """Runs a version's warm-up requests.

    Args:
        servable: The version, loaded.
        folder: Its folder.
        metrics: Count the time.

    Returns:
        How many there were; 0 where there is no such file.

    Raises:
        ServingError: A record cannot be read or run, or there are more than 1000. The version is
            not fit to serve then, as in TensorFlow Serving.
    """
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    path = f"{folder}/{WARMUP_FILE}"
    if not tf.io.gfile.exists(path):
        return 0
    count = 0
    try:
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            if count == MAX_RECORDS:
                raise ServingError(
                    Code.INVALID_ARGUMENT, f"there are more than {MAX_RECORDS} warm-up records"
                )
            started = time.perf_counter()
            _run(servable, prediction_log_pb2.PredictionLog.FromString(record))
            micros = (time.perf_counter() - started) * 1e6
            metrics.warmup_latency.add(micros, folder, Code.OK.name)
            count += 1
    except ServingError as error:
        raise ServingError(error.code, f"warm-up record {count}: {error.message}") from error
    except Exception as error:
        reason = f"{path}, record {count}: {type(error).__name__}: {error}"
        raise ServingError(Code.DATA_LOSS, f"cannot read {reason}") from error
    _LOG.info("%s: version %d is warm (%d requests)", servable.name, servable.version, count)
    return count


def _run(servable: Servable, log: Any) -> None:
    kind = log.WhichOneof("log_type")
    request: Any = getattr(log, kind).request if kind else None
    if kind == "predict_log":
        signature = request.model_spec.signature_name or signatures.DEFAULT
        servable.run(signature, tensors.inputs_of(request, servable.signature(signature)))
    elif kind in ("classify_log", "regress_log"):
        method = classification.CLASSIFY if kind == "classify_log" else classification.REGRESS
        _run_examples(servable, request.model_spec, request.input, method)
    elif kind == "multi_inference_log":
        for task in request.tasks:
            # The name of the model is not looked at: it may have been another when it was logged.
            task.model_spec.name = servable.name
        classification.check_tasks(servable, request.tasks)
        for task in request.tasks:
            method = classification.METHODS[task.method_name]
            _run_examples(servable, task.model_spec, request.input, method)
    else:
        raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")


def _run_examples(servable: Servable, spec: Any, message: Any, method: Method) -> None:
    name, inputs = classification.inputs_of(servable, spec.signature_name, message, method)
    servable.run(name, inputs)
