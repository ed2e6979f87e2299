"""Writes the models that the conformance tests ask about, and the config file that lists them.

    python -m tests.serving.conformance.models FOLDER [BASE]

Not for starting a server: `conftest.py` says how. FOLDER is where the files go, BASE what a server
calls that folder (FOLDER itself, unless it runs in a container).

- half_plus_two, version 123: TensorFlow 1, with signatures for predict, classify and regress; what
  TensorFlow Serving's documents use as their example.
- tensors, version 7: TensorFlow 2, a signature for each kind of tensor.
- examples, version 1: TensorFlow 2, whose signatures can be asked to classify and regress although
  it saves all of them for predict.
- add, versions 1 to 3: number N adds N. Listed four times, with each of the version policies.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

CONFIG_FILE = "models.config"

_CONFIG = """
model_config_list {
  config { name: "half_plus_two" base_path: "BASE/half_plus_two" model_platform: "tensorflow" }
  config { name: "tensors" base_path: "BASE/tensors" model_platform: "tensorflow" }
  config { name: "examples" base_path: "BASE/examples" model_platform: "tensorflow" }
  config { name: "newest" base_path: "BASE/add" model_platform: "tensorflow" }
  config {
    name: "two" base_path: "BASE/add" model_platform: "tensorflow"
    model_version_policy { latest { num_versions: 2 } }
  }
  config {
    name: "every" base_path: "BASE/add" model_platform: "tensorflow"
    model_version_policy { all {} }
  }
  config {
    name: "labelled" base_path: "BASE/add" model_platform: "tensorflow"
    model_version_policy { specific { versions: 1 versions: 2 } }
    version_labels { key: "stable" value: 1 }
    version_labels { key: "canary" value: 2 }
  }
}
"""


def config(base: str) -> str:
    """The text of the config file; `base` is what the server calls the models' folder."""
    return _CONFIG.replace("BASE", base)


def write(folder: pathlib.Path, base: str | None = None) -> pathlib.Path:
    """Writes all models and the config file; returns the path of the latter."""
    half_plus_two(folder / "half_plus_two" / "123")
    _tensors(folder / "tensors" / "7")
    examples(folder / "examples" / "1")
    for number in (1, 2, 3):
        _add(folder / "add" / str(number), number)
    path = folder / CONFIG_FILE
    path.write_text(config(base or str(folder)))
    return path


def half_plus_two(folder: pathlib.Path) -> None:
    """Saves one model; `folder` is the version's."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None], name="tf_example")
        features = v1.io.parse_example(
            serialized,
            {
                "x": v1.FixedLenFeature([1], tf.float32),
                "x2": v1.FixedLenFeature([1], tf.float32, default_value=[0.0]),
            },
        )
        x = tf.identity(features["x"], name="x")
        x2 = tf.identity(features["x2"], name="x2")
        half, two = v1.Variable(0.5, name="a"), v1.Variable(2.0, name="b")
        y = tf.add(half * x, two, name="y")
        y2 = tf.add(half * x2, 3.0, name="y2")
        # From a table, which only the initialising op of the model fills.
        keys = tf.constant([0, 1], tf.int64)
        table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(keys, tf.constant(["small", "large"])), "?"
        )
        number = tf.cast(x > 10.0, tf.int64)
        classes = table.lookup(tf.concat([number, 1 - number], 1))
        scores = tf.concat([y, -y], 1)

        utils = v1.saved_model.signature_def_utils
        info = v1.saved_model.utils.build_tensor_info
        method = "tensorflow/serving/predict"
        signatures = {
            "serving_default": utils.build_signature_def({"x": info(x)}, {"y": info(y)}, method),
            "regress_x_to_y": utils.regression_signature_def(serialized, y),
            "regress_x2_to_y3": utils.regression_signature_def(serialized, y2),
            "regress_flat": utils.regression_signature_def(serialized, tf.reshape(y, [-1])),
            "regress_wide": utils.regression_signature_def(serialized, scores),
            "regress_first": utils.regression_signature_def(serialized, y[:1]),
            "classify_x_to_y": utils.classification_signature_def(serialized, None, y),
            "classify_both": utils.classification_signature_def(serialized, classes, scores),
            "classify_classes": utils.classification_signature_def(serialized, classes, None),
            "classify_flat": utils.classification_signature_def(
                serialized, None, tf.reshape(y, [-1])
            ),
            "classify_first": utils.classification_signature_def(serialized, None, y[:1]),
            "classify_uneven": utils.classification_signature_def(serialized, classes, y),
        }
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            [tf.saved_model.SERVING],
            signature_def_map=signatures,
            main_op=v1.tables_initializer(),
        )
        builder.save()


def _tensors(folder: pathlib.Path) -> None:
    import tensorflow as tf

    def signature(**specs):
        named = {name: tf.TensorSpec(*spec, name=name) for name, spec in specs.items()}
        return lambda function: tf.function(function).get_concrete_function(**named)

    @signature(x=(None, tf.float32))
    def same(x):
        return {"y": tf.identity(x)}

    @signature(a=([None], tf.float32), b=([None, 3], tf.int32))
    def several(a, b):
        return {"total": a + tf.cast(tf.reduce_sum(b, 1), tf.float32), "b": tf.identity(b)}

    @signature(text=(None, tf.string))
    def strings(text):
        return {"text": tf.identity(text), "raw_bytes": tf.identity(text)}

    @signature(text=(None, tf.string))
    def text(text):
        return {"joined": tf.strings.join([text, "!"])}

    @signature(image_bytes=([None], tf.string))
    def binary(image_bytes):
        return {"image_bytes": tf.identity(image_bytes)}

    kinds = dict(boolean=tf.bool, double=tf.float64, int32=tf.int32, int64=tf.int64)
    kinds.update(uint8=tf.uint8, int8=tf.int8, int16=tf.int16, uint32=tf.uint32, uint64=tf.uint64)

    @signature(**{name: (None, kind) for name, kind in kinds.items()})
    def types(**tensors):
        return {f"{name}_out": tf.identity(tensor) for name, tensor in tensors.items()}

    @signature(n=([], tf.int64))
    def scalar(n):
        return {"square": n * n}

    @signature(x=([None], tf.float32))
    def uneven(x):
        return {"x": tf.identity(x), "twice": tf.concat([x, x], 0)}

    @signature(x=([None], tf.float32))
    def total(x):
        return {"total": tf.reduce_sum(x)}

    @signature(x=([None], tf.float16))
    def half(x):
        return {"y": tf.identity(x)}

    @signature(x=([None], tf.float32))
    def half_out(x):
        return {"y": tf.cast(x, tf.float16)}

    @signature(x=([None], tf.float32))
    def positive(x):
        tf.debugging.Assert(tf.reduce_all(x > 0), ["x must be positive:", x])
        return {"root": tf.sqrt(x)}

    tf.saved_model.save(
        tf.Module(),
        str(folder),
        signatures=dict(
            serving_default=same,
            several=several,
            strings=strings,
            text=text,
            binary=binary,
            types=types,
            scalar=scalar,
            uneven=uneven,
            total=total,
            half=half,
            half_out=half_out,
            positive=positive,
        ),
    )


def examples(folder: pathlib.Path) -> None:
    """Saves one model; `folder` is the version's."""
    import tensorflow as tf

    spec = tf.TensorSpec([None], tf.string, name="inputs")
    kinds = {
        "x": tf.io.FixedLenFeature([], tf.float32),
        "count": tf.io.FixedLenFeature([], tf.int64, 0),
        "name": tf.io.FixedLenFeature([], tf.string, ""),
        "many": tf.io.VarLenFeature(tf.float32),
    }

    @tf.function(input_signature=[spec])
    def describe(inputs):
        features = tf.io.parse_example(inputs, kinds)
        many = tf.sparse.to_dense(features["many"])
        count = tf.cast(features["count"], tf.float32)
        return {
            "classes": tf.stack([features["name"], tf.strings.as_string(features["count"])], 1),
            "scores": tf.stack([features["x"], tf.reduce_sum(many, 1) + count], 1),
        }

    @tf.function(input_signature=[spec])
    def value(inputs):
        return {"outputs": tf.io.parse_example(inputs, kinds)["x"]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="inputs")])
    def floats(inputs):
        return {"outputs": inputs + 1.0}

    tf.saved_model.save(
        tf.Module(),
        str(folder),
        signatures=dict(serving_default=describe, value=value, floats=floats),
    )


def _add(folder: pathlib.Path, number: int) -> None:
    import tensorflow as tf

    class Add(tf.Module):
        def __init__(self):
            super().__init__()
            self.number = tf.Variable(float(number))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def add(self, x):
            return {"y": x + self.number}

    model = Add()
    tf.saved_model.save(model, str(folder), signatures=model.add)


def main() -> int:
    """Writes the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("base", nargs="?")
    arguments = parser.parse_args()
    print(write(arguments.folder, arguments.base))
    return 0


if __name__ == "__main__":
    sys.exit(main())
