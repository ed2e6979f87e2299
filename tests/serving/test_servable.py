"""Loading and running SavedModels, TensorFlow 2's and 1's, and ones that are broken."""

import numpy as np
import pytest

from serving import servable
from serving.errors import Code, ServingError


def test_scalars_strings_and_unknown_signatures(zoo_folder):
    zoo = servable.load("zoo", 7, str(zoo_folder / "7"))
    assert zoo.run("scalar", {"n": np.array(5, np.int64)})["square"] == 25
    outputs = zoo.run("strings", {"text": np.array(b"a\x00", np.object_)})
    assert outputs["raw_bytes"].shape == () and outputs["raw_bytes"].item() == b"a\x00"
    with pytest.raises(ServingError, match="not found in signature def"):
        zoo.run("nope", {})
    with pytest.raises(ServingError, match="Missing but required: {x}"):
        zoo.run("serving_default", {})
    with pytest.raises(ServingError) as caught:
        zoo.run("__saved_model_init_op", {})
    assert caught.value.code is Code.FAILED_PRECONDITION


def test_a_tensorflow_1_model(tmp_path):
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 1], "x")
        slope = v1.get_variable("slope", initializer=0.5)
        y = x * slope + 2
        session.run(v1.global_variables_initializer())
        info = v1.saved_model.build_tensor_info
        definition = v1.saved_model.build_signature_def(
            {"x": info(x)}, {"y": info(y)}, "tensorflow/serving/predict"
        )
        builder = v1.saved_model.Builder(str(tmp_path / "1"))
        builder.add_meta_graph_and_variables(
            session, ["serve"], signature_def_map={"serving_default": definition}
        )
        builder.save()
    half_plus_two = servable.load("half", 1, str(tmp_path / "1"))
    outputs = half_plus_two.run("serving_default", {"x": np.array([1, 2, 5], np.float32)})
    # Not of the declared shape, which TensorFlow 1 never held anyone to.
    np.testing.assert_array_equal(outputs["y"], [2.5, 3.0, 4.5])


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(100)])
def test_broken_models_are_one_kind_of_error(tmp_path, content):
    (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(ServingError) as caught:
        servable.load("broken", 1, str(tmp_path))
    assert str(tmp_path) in caught.value.message and "\n" not in caught.value.message


def test_missing_weights(add_folder, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes((add_folder / "1" / "saved_model.pb").read_bytes())
    with pytest.raises(ServingError, match="variables"):
        servable.load("cut", 1, str(tmp_path))


def test_what_is_not_an_error_of_tensorflow_is_hidden_and_logged(zoo_folder, caplog):
    zoo = servable.load("zoo", 7, str(zoo_folder / "7"))

    def fail(**_):
        raise RuntimeError("secret")

    zoo = servable.Servable(
        "zoo",
        7,
        signature_defs=zoo.signature_defs,
        functions={"serving_default": fail},
        model=None,
    )
    with pytest.raises(ServingError) as caught:
        zoo.run("serving_default", {"x": np.ones(1, np.float32)})
    assert caught.value.code is Code.INTERNAL and "secret" not in caught.value.message
    assert "secret" in caplog.text
