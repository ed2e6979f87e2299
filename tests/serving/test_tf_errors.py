"""What operations say, out of what TensorFlow makes of it: in this process, raised for real."""

import re

import pytest

from serving import tf_errors
from serving.errors import Code


def raised(function, *arguments):
    import tensorflow as tf

    with pytest.raises(tf.errors.OpError) as caught:
        function(*arguments)
    return caught.value


def test_eager_operations():
    import tensorflow as tf

    error = raised(tf.io.decode_image, b"no image")
    translated = tf_errors.from_op_error(error.error_code, error.message)
    assert translated.code is Code.INVALID_ARGUMENT
    # Newer versions of TensorFlow know more formats.
    assert re.fullmatch(r"Unknown image file format. One of JPEG, .*required\.", translated.message)


def test_functions_loops_and_datasets():
    import tensorflow as tf

    @tf.function
    def decode_all(batch):
        return tf.map_fn(tf.io.decode_png, batch, fn_output_signature=tf.uint8)

    @tf.function
    def from_dataset(batch):
        images = tf.data.Dataset.from_tensor_slices(batch).map(tf.io.decode_png)
        return images.reduce(0, lambda count, _: count + 1)

    for function in (decode_all, from_dataset):
        error = raised(function, tf.constant([b"no image"]))
        message = tf_errors.innermost(error.message)
        assert "Unknown image file format" in message
        assert "{{" not in message and "Detected at" not in message and "\n" not in message


def test_assertions_and_other_codes():
    import tensorflow as tf

    @tf.function
    def check(x):
        tf.debugging.Assert(x > 0, ["x is not positive:", x])
        return x

    error = raised(check, tf.constant(-1))
    message = tf_errors.innermost(error.message)
    assert message == "assertion failed: [x is not positive:] [-1]"

    error = raised(tf.io.read_file, "/nowhere/at/all")
    translated = tf_errors.from_op_error(error.error_code, error.message)
    assert translated.code is Code.NOT_FOUND
    assert translated.message.startswith("/nowhere/at/all")


def test_several_root_errors():
    message = (
        "Graph execution error:\n\n2 root error(s) found.\n"
        "  (0) INVALID_ARGUMENT:  Input is empty.\n\t [[{{node a}}]]\n\t [[b]]\n"
        "  (1) INVALID_ARGUMENT:  Input is empty.\n\t [[{{node a}}]]\n"
        "0 successful operations.\n0 derived errors ignored. [Op:__inference_f_1]"
    )
    assert tf_errors.innermost(message) == "Input is empty."


def test_nodes_with_source_lines():
    message = (
        "Graph execution error:\n\nDetected at node Assert defined at (most recent call last):\n"
        '  File "model.py", line 3, in <module>\n\n  File "other.py", line 7, in f\n\n'
        "assertion failed: [bad]\n\t [[{{node Assert}}]] [Op:__inference_f_1]"
    )
    assert tf_errors.innermost(message) == "assertion failed: [bad]"


def test_unknown_codes_and_strange_messages():
    error = tf_errors.from_op_error(99, "Graph execution error:")
    assert (error.code, error.message) == (Code.UNKNOWN, "Graph execution error:")
    assert len(tf_errors.innermost("x" * 100_000)) == 1000
