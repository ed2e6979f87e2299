"""Embedding, staging and looking for new data with `gs://` URLs, in a cloud of the tests' own."""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable

import pytest

from tests.object_store import private_cloud
from tests.pipeline.submission.conftest import pipeline_spec


@pytest.mark.extended
def test_with_urls(tmp_path: pathlib.Path, make_photo: Callable[..., bytes]):
    import tensorflow as tf

    if reason := private_cloud.why_not():
        pytest.skip(reason)

    class Brightness(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def embed(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
            mean = tf.map_fn(
                lambda encoded: tf.reduce_mean(tf.cast(tf.io.decode_png(encoded), tf.float32)),
                image_bytes,
                fn_output_signature=tf.float32,
            )
            return {"embedding": tf.stack([mean, 1 / (1 + mean)], axis=1)}

    model = Brightness()
    tf.saved_model.save(model, str(tmp_path / "model"), signatures={"embed": model.embed})
    photos = tmp_path / "photos"
    for number in range(6):
        path = photos / ("lily", "rose")[number % 2] / f"{number} ä.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make_photo(number, "png"))
    spec = tmp_path / "pipeline.json"
    spec.write_text(json.dumps({"pipelineSpec": pipeline_spec()}), "utf-8")
    command = [sys.executable, "-m", "tests.pipeline.bucket_session"]
    arguments = [str(photos), str(tmp_path / "model"), str(spec), private_cloud.BUCKET]
    finished, _ = private_cloud.run([*command, *arguments], tmp_path, timeout=600)
    assert finished.returncode == 0, finished.stderr[-3000:]
    found = json.loads(finished.stdout.splitlines()[-1])
    assert found["exit"] == [0, 0]
    assert found["files"] == ["embeddings-00000-of-00001.tfrecord.gz"]
    # Nothing unfinished is left beside it.
    assert found["top"] == ["embedded", "photos", "pipeline.json", "serving"]
    assert found["ids"] == sorted(f"{('lily', 'rose')[n % 2]}/{n} ä.png" for n in range(6))
    assert found["same"]
    assert found["again"] == 1 and "embedded is there already" in finished.stderr
    assert found["staged"] == [f"gs://{private_cloud.BUCKET}/staging/flowers/7", 7]
    assert found["new"] == [True, False, True]
