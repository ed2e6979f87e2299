"""Warm-up records: read back by TensorFlow Serving's own messages, and run."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from components.serving_check.warmup import SIGNATURES, warmup_records, write_warmup


def _requests(records) -> list[tuple[str, str, list[bytes]]]:
    found = []
    for record in records:
        log = prediction_log_pb2.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        (name,) = request.inputs
        assert name == "image_bytes"
        images = tf.make_ndarray(request.inputs[name])
        found.append((request.model_spec.name, request.model_spec.signature_name, images.tolist()))
    return found


def test_each_record_runs(good_model: pathlib.Path, photos: list[bytes], tmp_path) -> None:
    write_warmup(str(tmp_path), "flowers", photos, (4, 1))
    path = tmp_path / "assets.extra" / "tf_serving_warmup_requests"
    requests = _requests(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    assert [(name, signature, len(images)) for name, signature, images in requests] == [
        ("flowers", signature, size) for size in (1, 4) for signature in SIGNATURES
    ]
    model = tf.saved_model.load(str(good_model))
    for _, signature, images in requests:
        outputs = model.signatures[signature](image_bytes=tf.constant(images))
        assert {value.shape[0] for value in outputs.values()} == {len(images)}


def test_the_same_records_each_time_whatever_the_order(photos: list[bytes]) -> None:
    one = list(warmup_records("flowers", photos, (1, 4)))
    assert one == list(warmup_records("flowers", photos[::-1], (4, 1, 4)))


def test_few_images_are_taken_again() -> None:
    requests = _requests(warmup_records("flowers", [b"large one", b"small"], (5,)))
    assert requests[0][2] == [b"small", b"large one", b"small", b"large one", b"small"]


@pytest.mark.parametrize(("megabytes", "sizes"), [(1, {1}), (5, {1}), (0.5, {1, 4}), (0.4, {1, 8})])
def test_large_batches_of_large_images_are_left_out(megabytes: float, sizes: set[int]) -> None:
    image = bytes(int(megabytes * 1e6))
    wanted = sorted(sizes | {8 if 8 in sizes else 4, 64})
    requests = _requests(warmup_records("flowers", [image], wanted))
    assert {len(images) for _, _, images in requests} == sizes
