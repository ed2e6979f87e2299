"""Reads the photos and answers of a request log: TFRecords of TensorFlow Serving's `PredictionLog`.

Not for what they tell (`survey.py`). Logs are written while they are read, and a server may die in
the middle of a record: what comes before is taken, and the file is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import tensorflow as tf

SIGNATURES = ("serving_default", "similar")

# Bytes of a TFRecord beside its content.
_FRAME = 16

_INPUT = "image_bytes"
_IDS, _CLASSES, _MATCH = "neighbour_ids", "neighbour_class_names", "is_match"


class LoggedPhoto(NamedTuple):
    """One photo of a request, and what it was answered with first.

    Attributes:
        record: Number of the request in its file.
        row: Number of the photo in the request.
        image: Encoded bytes.
        model: NAME/VERSION that answered.
        identity: Id of the best neighbour; empty if there is none.
        class_name: Of the same.
        is_match: Whether it counted as a match.
    """

    record: int
    row: int
    image: bytes
    model: str
    identity: str
    class_name: str
    is_match: bool


class Skipped(NamedTuple):
    """A record without photos.

    Attributes:
        record: Number of the record in its file.
        what: The signature or kind of request.
    """

    record: int
    what: str


class CutShort(NamedTuple):
    """The end of a file whose last records cannot be read; nothing follows.

    Attributes:
        record: Number of the first record that is lost.
    """

    record: int


NO_LOG = "no PredictionLog"


def read_log(path: str) -> Iterator[LoggedPhoto | Skipped | CutShort]:
    """Yields what is in a file, in its order."""
    record = length = 0
    # Before it is read, since it may grow meanwhile.
    size = tf.io.gfile.stat(path).length
    contents = tf.data.TFRecordDataset(path).as_numpy_iterator()
    while True:
        try:
            content = next(contents)
        except StopIteration:
            # A record of which no more than a part of its head is there is no error to TensorFlow.
            if length < size:
                yield CutShort(record)
            return
        except tf.errors.DataLossError:
            yield CutShort(record)
            return
        yield from photos_of(content, record)
        record += 1
        length += len(content) + _FRAME


def photos_of(content: bytes, record: int) -> Iterator[LoggedPhoto | Skipped]:
    """Yields the photos of one request, or why there are none.

    Args:
        content: A serialized `PredictionLog`.
        record: Its number.
    """
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis import prediction_log_pb2

    try:
        log = prediction_log_pb2.PredictionLog.FromString(content)
    except DecodeError:
        yield Skipped(record, NO_LOG)
        return
    kind = log.WhichOneof("log_type")
    if kind != "predict_log":
        yield Skipped(record, kind.removesuffix("_log") if kind else NO_LOG)
        return
    request, response = log.predict_log.request, log.predict_log.response
    # TensorFlow Serving logs a request as it came: without a name it means the default.
    name = request.model_spec.signature_name or SIGNATURES[0]
    wanted = {_IDS, _CLASSES, _MATCH}
    if name not in SIGNATURES or _INPUT not in request.inputs or not wanted <= {*response.outputs}:
        yield Skipped(record, f"signature {name}")
        return
    try:
        images = _array(request.inputs[_INPUT]).reshape(-1)
        ids, classes, matches = (
            _array(response.outputs[key]).reshape(len(images), -1)
            for key in (_IDS, _CLASSES, _MATCH)
        )
    except ValueError:
        yield Skipped(record, f"signature {name} without an answer for each photo")
        return
    # Of the answer, since a request need not name a version.
    spec = response.model_spec if response.model_spec.name else log.log_metadata.model_spec
    model = f"{spec.name}/{spec.version.value}"
    for row, image in enumerate(images):
        yield LoggedPhoto(
            record,
            row,
            bytes(image),
            model,
            ids[row][0].decode(errors="replace"),
            classes[row][0].decode(errors="replace"),
            bool(matches[row][0]),
        )


def _array(proto: Any) -> Any:
    return tf.make_ndarray(proto)
