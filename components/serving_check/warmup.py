"""Warm-up records: requests that a model server runs on a new version before it serves it.

TensorFlow builds and optimises a signature's graph when it is first run. A server that finds
`assets.extra/tf_serving_warmup_requests` in a SavedModel runs the requests in it, so that no user
waits for that. The file holds TFRecords of `PredictionLog` messages, at most 1000.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
from tfx.utils import path_utils

SIGNATURES = ("serving_default", "similar", "embed", "classify_image")
INPUT = "image_bytes"

# It becomes part of every version, and camera photos are large.
_MOST_BYTES = 16_000_000
_MOST_RECORDS = 1000


def warmup_records(
    model_name: str, images: Sequence[bytes], batch_sizes: Sequence[int]
) -> Iterator[bytes]:
    """Makes the requests: each signature with each batch size.

    Args:
        model_name: Name of the model in the requests.
        images: Encoded images, at least one; the smallest are taken, and again where a batch is
            larger than there are images.
        batch_sizes: Images in the requests.

    Yields:
        Serialized `PredictionLog`s, the same bytes for the same arguments; those of the largest
        batches are left out where all would take up more than 16 MB.
    """
    smallest = sorted(images, key=lambda image: (len(image), image))
    total = 0
    for count, size in enumerate(sorted(set(batch_sizes))):
        batch = [smallest[index % len(smallest)] for index in range(size)]
        records = [_record(model_name, signature, batch) for signature in SIGNATURES]
        total += sum(map(len, records))
        # Something is better than nothing, so the first batch size always is.
        if count and (total > _MOST_BYTES or (count + 1) * len(SIGNATURES) > _MOST_RECORDS):
            return
        yield from records


def write_warmup(
    model_folder: str, model_name: str, images: Sequence[bytes], batch_sizes: Sequence[int]
) -> None:
    """Writes the records of `warmup_records` to where a server looks for them in the SavedModel."""
    path = path_utils.warmup_file_path(model_folder)
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.TFRecordWriter(path) as writer:
        for record in warmup_records(model_name, images, batch_sizes):
            writer.write(record)


def _record(model_name: str, signature: str, batch: Sequence[bytes]) -> bytes:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model_name
    request.model_spec.signature_name = signature
    request.inputs[INPUT].CopyFrom(tf.make_tensor_proto(list(batch), tf.string))
    log = prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )
    return log.SerializeToString(deterministic=True)
