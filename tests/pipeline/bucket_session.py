"""What the test in `test_in_a_bucket.py` does inside a private cloud, with the unchanged programs.

As a program: `python -m tests.pipeline.bucket_session PHOTOS MODEL SPEC BUCKET`, of which the first
three are local. Prints a JSON object of what was found.
"""

from __future__ import annotations

import json
import pathlib
import sys


def main(photos: str, model: str, spec: str, bucket: str) -> None:
    """Uploads, and then does with URLs what a user would."""
    import numpy as np
    import tensorflow as tf

    from pipeline.cli import main as flowersim
    from pipeline.registry.pushed_version import read_version, stage
    from pipeline.submission.new_data import look, remember
    from pipeline.submission.spec_file import read_spec

    root = f"gs://{bucket}"
    _upload(photos, f"{root}/photos")
    _upload(model, f"{root}/serving/flowers/7")
    tf.io.gfile.copy(spec, f"{root}/pipeline.json")
    found: dict[str, object] = {}

    given = ["--model", f"{root}/serving/flowers"]
    local = flowersim(["embed", photos, *given, "--output", f"{photos}-embedded"])
    # Of a job that was cut short.
    with tf.io.gfile.GFile(f"{root}/embedded.partial/deep/embeddings-0.tfrecord.gz", "wb") as file:
        file.write(b"half")
    remote = flowersim(["embed", f"{root}/photos", *given, "--output", f"{root}/embedded/"])
    found["exit"] = [local, remote]
    found["files"] = sorted(tf.io.gfile.listdir(f"{root}/embedded"))
    found["top"] = sorted(name.rstrip("/") for name in tf.io.gfile.listdir(root))
    here, there = _vectors(f"{photos}-embedded"), _vectors(f"{root}/embedded")
    found["ids"] = sorted(there)
    found["same"] = here.keys() == there.keys() and all(
        np.allclose(here[name], there[name], atol=1e-6) for name in here
    )
    found["again"] = flowersim(["embed", photos, *given, "--output", f"{root}/embedded"])

    staged = stage(read_version(f"{root}/serving/flowers/7"), f"{root}/staging", "flowers")
    found["staged"] = [staged, read_version(f"{staged}/7").number]

    read = read_spec(f"{root}/pipeline.json")
    data = {"data_folder": f"{root}/photos"}
    first = look(read, data, root)
    remember(first, "job-1")
    second = look(read, data, root)
    with tf.io.gfile.GFile(f"{root}/photos/lily/new.png", "wb") as file:
        file.write(b"new")
    found["new"] = [first.new, second.new, look(read, data, root).new]
    print(json.dumps(found))


def _upload(source: str, target: str) -> None:
    import tensorflow as tf

    for path in sorted(pathlib.Path(source).rglob("*")):
        if path.is_file():
            tf.io.gfile.copy(str(path), f"{target}/{path.relative_to(source)}")


def _vectors(folder: str) -> dict[str, list[float]]:
    import tensorflow as tf

    files = tf.io.gfile.glob(f"{folder}/embeddings-*.tfrecord.gz")
    found: dict[str, list[float]] = {}
    for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        identity = features["id"].bytes_list.value[0].decode()
        found[identity] = list(features["embedding"].float_list.value)
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
