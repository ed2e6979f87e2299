"""What is read of a log: photos with answers, other records by name, and ends that are missing."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from tensorflow_serving.apis import prediction_log_pb2

from components.drift_monitor.logged_requests import (
    NO_LOG,
    CutShort,
    LoggedPhoto,
    Skipped,
    photos_of,
    read_log,
)
from tests.components.drift_monitor.conftest import predict_log


def test_each_row_with_its_first_answer():
    answers = [("a", "rose", True), ("b", "müllerröschen", False)]
    content = predict_log([b"one", b"\xff\x00two"], signature="similar", answers=answers, version=9)
    assert list(photos_of(content, 3)) == [
        LoggedPhoto(3, 0, b"one", "flowers/9", "a", "rose", True),
        LoggedPhoto(3, 1, b"\xff\x00two", "flowers/9", "b", "müllerröschen", False),
    ]


def test_a_request_that_names_no_signature_means_the_default():
    (found,) = photos_of(predict_log([b"one"], signature=""), 0)
    assert isinstance(found, LoggedPhoto)


def test_the_version_is_that_of_the_answer():
    log = prediction_log_pb2.PredictionLog.FromString(predict_log([b"one"], version=4))
    log.predict_log.request.model_spec.ClearField("version")
    (found,) = photos_of(log.SerializeToString(), 0)
    assert isinstance(found, LoggedPhoto) and found.model == "flowers/4"


def _other_kind() -> bytes:
    log = prediction_log_pb2.PredictionLog()
    log.classify_log.request.model_spec.name = "flowers"
    return log.SerializeToString()


def _without(part: str) -> bytes:
    log = prediction_log_pb2.PredictionLog.FromString(predict_log([b"one"]))
    for tensors in (log.predict_log.request.inputs, log.predict_log.response.outputs):
        if part in tensors:
            del tensors[part]
    return log.SerializeToString()


def _of_fewer_answers() -> bytes:
    log = prediction_log_pb2.PredictionLog.FromString(predict_log([b"one", b"two", b"three"]))
    inputs = log.predict_log.request.inputs["image_bytes"]
    del inputs.string_val[:]
    inputs.string_val.extend([b"x"] * 4)
    inputs.tensor_shape.dim[0].size = 4
    return log.SerializeToString()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (predict_log([b"one"], signature="embed"), "signature embed"),
        (_without("image_bytes"), "signature serving_default"),
        (_without("is_match"), "signature serving_default"),
        (_of_fewer_answers(), "signature serving_default without an answer for each photo"),
        (_other_kind(), "classify"),
        (b"\xffno message", NO_LOG),
        (b"", NO_LOG),
    ],
)
def test_what_is_passed_over_has_a_name(content: bytes, what: str):
    assert list(photos_of(content, 7)) == [Skipped(7, what)]


def test_a_file(write_log: Callable[..., str]):
    path = write_log("log", [predict_log([b"one"]), b"\xff", predict_log([b"two", b"three"])])
    assert [(found.record, getattr(found, "row", None)) for found in read_log(path)] == [
        (0, 0),
        (1, None),
        (2, 0),
        (2, 1),
    ]


def test_an_empty_file(write_log: Callable[..., str]):
    assert list(read_log(write_log("log", []))) == []


def test_a_file_is_read_up_to_wherever_it_ends(write_log: Callable[..., str]):
    contents = [predict_log([name.encode()]) for name in "abc"]
    path = write_log("log", contents)
    size = os.path.getsize(path)
    ends = [16 + len(content) for content in contents]
    for cut in range(1, ends[2] + 1):
        os.truncate(path, size - cut)
        found = list(read_log(path))
        assert [photo.image for photo in found if isinstance(photo, LoggedPhoto)] == [b"a", b"b"]
        # Cut exactly between records, nothing is missed.
        assert found[2:] == ([CutShort(2)] if cut < ends[2] else [])


def test_a_damaged_record_ends_the_file(write_log: Callable[..., str]):
    path = write_log("log", [predict_log([name.encode()]) for name in "abc"])
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        file.write(b"\x00\x00")
    found = list(read_log(path))
    assert isinstance(found[0], LoggedPhoto) and found[1:] == [CutShort(1)]
